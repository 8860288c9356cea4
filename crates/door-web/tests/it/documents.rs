//! The OpenAPI document, its page, and the list of codes.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::http::request;
use crate::world::{Setting, World};

/// All references in a document.
fn references(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(path)) = fields.get("$ref") {
                into.insert(path.clone());
            }
            fields.values().for_each(|value| references(value, into));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, into)),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_describes_every_route() {
    let world = World::with(Setting::default(), &[]).await;
    let document = world.call("", "GET /v1/openapi.json", Value::Null).await.ok();
    assert_eq!(document, door_web::document());
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    for key in ["title", "version"] {
        assert!(document["info"][key].is_string());
    }
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    for path in found {
        let pointer = path.strip_prefix('#').unwrap_or_else(|| panic!("{path} leads outside"));
        assert!(document.pointer(pointer).is_some(), "{path} leads nowhere");
    }

    let (mut ids, mut calls) = (BTreeSet::new(), 0);
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            calls += 1;
            let place = format!("{method} {path}");
            assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{place}: its id is another's");
            assert!(operation["summary"].is_string() && operation["tags"][0].is_string(), "{place}");
            let named: BTreeSet<&str> = path.split(['{', '}']).skip(1).step_by(2).collect();
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            let described: BTreeSet<&str> =
                parameters.iter().filter(|one| one["in"] == "path").map(|one| one["name"].as_str().unwrap()).collect();
            assert_eq!(named, described, "{place}");
            let responses = operation["responses"].as_object().unwrap();
            assert!(responses.keys().any(|status| status < &"300".to_owned()), "{place}");
            for (status, response) in responses.iter().filter(|(status, _)| *status >= &"400".to_owned()) {
                assert!(response["content"]["application/problem+json"].is_object(), "{place} {status}");
                assert!(!response["x-codes"].as_array().unwrap().is_empty(), "{place} {status}");
            }
            let is_open = operation["security"] == serde_json::json!([]);
            assert!(is_open || responses.contains_key("401"), "{place}");

            // What is described is there: without a token or a handshake it refuses, but not as unknown.
            let concrete = path.replace("{seq}", "1").replace(['{', '}'], "");
            let answer = world.call("", &format!("{} {concrete}", method.to_uppercase()), Value::Null).await;
            assert!(answer.status != 405, "{place}");
            assert!(answer.status != 404, "{place}");
            if !is_open {
                assert_eq!(answer.code(), "unauthenticated", "{place}");
            }
        }
    }
    assert!(calls >= 36, "{calls}");
    for schema in ["Request", "Response", "Push", "Operation", "Problem", "ErrorCode", "Room", "Event"] {
        assert!(document["components"]["schemas"][schema].is_object(), "{schema}");
    }
    let operations = document["components"]["schemas"]["Operation"]["oneOf"].as_array().unwrap();
    for operation in operations {
        let op = operation["properties"]["op"]["enum"][0].as_str().unwrap();
        let rest = ids.contains(op) || ["connect", "token.renew", "ping"].contains(&op);
        assert!(rest, "{op} has no REST call of the same name");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_reads_in_both_languages() {
    let world = World::with(Setting::default(), &[]).await;
    for (language, title, lang) in [("en", "Starling API", "en"), ("zh-CN", "Starling 接口文档", "zh-CN")] {
        let page = request(world.address, "GET /v1/docs", &[("accept-language", language)], b"").await;
        let html = page.text();
        assert!(html.starts_with("<!doctype html>") && html.contains(&format!("<html lang=\"{lang}\">")));
        assert!(html.contains(&format!("<title>{title}</title>")));
        // The policy allows neither scripts nor styles inside the page, nor anything from elsewhere.
        for forbidden in ["<script", "<style", " style=", "http://", "https://"] {
            assert!(!html.contains(forbidden), "{forbidden}");
        }
        for code in wire::Code::ALL {
            let info = code.info();
            assert!(html.contains(&format!("id=\"error-{}\"", info.code)) && html.contains(info.zh), "{}", info.code);
        }
        for part in html.split("href=\"#").skip(1) {
            let target = part.split('"').next().unwrap();
            assert!(html.contains(&format!("id=\"{target}\"")), "#{target} leads nowhere");
        }
    }
    let style = world.call("", "GET /v1/docs/style.css", Value::Null).await;
    assert_eq!(style.header("content-type"), Some("text/css; charset=utf-8"));
    let list = world.call("", "GET /v1/errors", Value::Null).await.ok();
    assert_eq!(list["errors"].as_array().unwrap().len(), wire::Code::ALL.len());
}
