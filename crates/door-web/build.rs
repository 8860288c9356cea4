//! Builds again when the web client has changed, so that the binary never embeds an old one.

fn main() {
    println!("cargo::rerun-if-changed=../../web/dist");
}
