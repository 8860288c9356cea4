//! The operations, taken from the OpenAPI document and the frames that the door reads: what is there, and how it is asked
//! for over REST and over WebSocket, is nowhere written a second time.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

/// All operations, by id.
pub struct Operations(BTreeMap<String, Operation>);

#[derive(Default)]
pub struct Operation {
    pub rest: Option<Rest>,
    pub socket: bool,
    /// Whether it needs a token.
    pub protected: bool,
    /// The codes that it says it may be refused with.
    pub codes: BTreeSet<String>,
}

pub struct Rest {
    method: String,
    path: String,
    has_body: bool,
}

impl Operations {
    pub fn load() -> Self {
        let document = door_web::document();
        let mut all: BTreeMap<String, Operation> = BTreeMap::new();
        for (path, item) in fields(&document["paths"]) {
            for (method, described) in fields(item) {
                let id = described["operationId"].as_str().expect("every operation has an id");
                let responses = fields(&described["responses"]).values();
                let codes = responses.filter_map(|response| response["x-codes"].as_array()).flatten();
                all.insert(
                    id.to_owned(),
                    Operation {
                        rest: Some(Rest {
                            method: method.to_uppercase(),
                            path: path.clone(),
                            has_body: described["requestBody"].is_object(),
                        }),
                        socket: false,
                        protected: described["security"].is_null(),
                        codes: codes.filter_map(Value::as_str).map(str::to_owned).collect(),
                    },
                );
            }
        }
        let frames =
            document["components"]["schemas"]["Operation"]["oneOf"].as_array().expect("operations are a union");
        for frame in frames {
            let op = frame["properties"]["op"]["enum"][0].as_str().expect("an operation has a name");
            let operation = all.entry(op.to_owned()).or_default();
            (operation.socket, operation.protected) = (true, true);
        }
        Self(all)
    }

    pub fn get(&self, id: &str) -> &Operation {
        self.0.get(id).unwrap_or_else(|| panic!("{id} has a row, but is no operation"))
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Operation)> {
        self.0.iter().map(|(id, operation)| (id.as_str(), operation))
    }
}

fn fields(value: &Value) -> &Map<String, Value> {
    value.as_object().expect("an object")
}

impl Rest {
    /// Whether it only asks.
    pub fn is_question(&self) -> bool {
        self.method == "GET"
    }

    /// The line and the body of a request with these arguments: what the path names goes there, the rest to the body or, if
    /// there is none, behind the path.
    pub fn request(&self, arguments: &Value) -> (String, Value) {
        let (mut path, mut query, mut body) = (self.path.clone(), Vec::new(), Map::new());
        for (name, value) in fields(arguments) {
            let plain = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let place = format!("{{{name}}}");
            if path.contains(&place) {
                path = path.replace(&place, &plain);
            } else if self.has_body {
                body.insert(name.clone(), value.clone());
            } else {
                query.push(format!("{name}={plain}"));
            }
        }
        assert!(!path.contains('{'), "{path}: an argument is missing");
        let mark = if query.is_empty() { "" } else { "?" };
        let line = format!("{} {path}{mark}{}", self.method, query.join("&"));
        (line, if self.has_body { Value::Object(body) } else { Value::Null })
    }
}
