//! All schemas of the native wire as one OpenAPI document without paths.
//!
//! The SDKs' types are generated from it, so it lists everything that travels, WebSocket frames and error codes
//! included. `door-web` takes the same components and adds the paths.

use serde::{Deserialize, Serialize};
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::{Components, ObjectBuilder, RefOr, Schema, Type};
use utoipa::{OpenApi, PartialSchema, ToSchema};

use crate::Code;

/// A stable error code as it stands in `Problem.code`; the schema is made from [`Code::ALL`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ErrorCode(pub String);

impl PartialSchema for ErrorCode {
    fn schema() -> RefOr<Schema> {
        let codes = Code::ALL.iter().map(|code| code.info().code);
        let table: Vec<_> = Code::ALL
            .iter()
            .map(|code| {
                let info = code.info();
                serde_json::json!({
                    "code": info.code,
                    "status": info.status,
                    "retryable": info.retryable,
                    "en": info.en,
                    "zh": info.zh,
                })
            })
            .collect();
        ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some("Every error code of the native wire; `x-codes` says what is known of each."))
            .enum_values(Some(codes))
            .extensions(Some(ExtensionsBuilder::new().add("x-codes", table).build()))
            .into()
    }
}

impl ToSchema for ErrorCode {}

#[derive(OpenApi)]
#[openapi(components(schemas(
    ErrorCode,
    // account.rs
    crate::RegisterRequest,
    crate::LoginRequest,
    crate::RefreshRequest,
    crate::Session,
    crate::PasswordChange,
    crate::UserKind,
    crate::User,
    crate::Me,
    crate::ProfileUpdate,
    crate::Device,
    crate::DeviceList,
    crate::UserSearch,
    crate::UserPage,
    crate::ServerInfo,
    crate::Limits,
    crate::PresenceList,
    crate::Presence,
    crate::PresenceWatch,
    // error.rs
    crate::Problem,
    crate::FieldError,
    // event.rs
    crate::Event,
    crate::EventBody,
    crate::Message,
    crate::Edited,
    crate::Deleted,
    crate::Reaction,
    crate::Content,
    crate::TextContent,
    crate::TextFormat,
    crate::RoomSettings,
    crate::EventRange,
    crate::EventPage,
    crate::SendMessage,
    crate::EditMessage,
    crate::DeleteMessage,
    crate::SetReactions,
    crate::Receipt,
    // room.rs
    crate::RoomKind,
    crate::JoinRule,
    crate::HistoryVisibility,
    crate::MemberState,
    crate::Levels,
    crate::Room,
    crate::Membership,
    crate::Cursors,
    crate::Peer,
    crate::Member,
    crate::RoomRange,
    crate::RoomPage,
    crate::MemberRange,
    crate::MemberPage,
    crate::CreateRoom,
    crate::OpenDirect,
    crate::UpdateRoom,
    crate::MemberRef,
    crate::SetLevel,
    crate::Plain,
    crate::SetCursors,
    crate::MemberCursors,
    crate::CursorList,
    crate::SetTyping,
    // statistics.rs
    crate::StatisticsRange,
    crate::StatisticsList,
    crate::DayStatistics,
    // sync.rs
    crate::SyncRequest,
    crate::SyncAnswer,
    // frame.rs
    crate::Connect,
    crate::Connected,
    crate::RenewToken,
    crate::Renewed,
    crate::DeviceRef,
    crate::UserRef,
    crate::Nothing,
    crate::Request,
    crate::Operation,
    crate::Response,
    crate::Push,
)))]
struct Wire;

/// Every schema of the wire, by name.
pub fn components() -> Components {
    document().components.expect("the derive lists schemas, so there are components")
}

/// The schemas as a document of their own, for generators.
pub fn document() -> utoipa::openapi::OpenApi {
    let mut document = Wire::openapi();
    document.info.title = "Starling native wire".to_owned();
    document.info.description = Some("Types of REST /v1 and of the WebSocket /v1/ws".to_owned());
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document_json() -> serde_json::Value {
        serde_json::to_value(document()).expect("schemas are JSON")
    }

    fn references(value: &serde_json::Value, found: &mut Vec<String>) {
        match value {
            serde_json::Value::Object(fields) => {
                if let Some(serde_json::Value::String(reference)) = fields.get("$ref") {
                    found.push(reference.clone());
                }
                fields.values().for_each(|field| references(field, found));
            }
            serde_json::Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document = document_json();
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(!found.is_empty(), "the walk finds references");
        for reference in found {
            let pointer = reference.trim_start_matches('#');
            assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
        }
    }

    #[test]
    fn problems_name_every_code() {
        let document = document_json();
        let schemas = &document["components"]["schemas"];
        assert_eq!(schemas["Problem"]["properties"]["code"]["$ref"], "#/components/schemas/ErrorCode");
        let codes: Vec<_> = Code::ALL.iter().map(|code| serde_json::json!(code.info().code)).collect();
        assert_eq!(schemas["ErrorCode"]["enum"], serde_json::Value::Array(codes));
    }

    /// The SDK's generator reads the answer of each operation from its description.
    #[test]
    fn operations_say_what_they_answer() {
        let document = document_json();
        let schemas = &document["components"]["schemas"];
        for operation in schemas["Operation"]["oneOf"].as_array().expect("operations are a union") {
            let description = operation["description"].as_str().unwrap_or_default();
            let answer = description.split('`').nth(1).unwrap_or_default();
            assert!(schemas.get(answer).is_some(), "{description:?} names no schema");
        }
    }
}
