//! Prints the schemas of the wire as an OpenAPI document: the source of the SDKs' types.

fn main() -> Result<(), serde_json::Error> {
    println!("{}", wire::schema::document().to_pretty_json()?);
    Ok(())
}
