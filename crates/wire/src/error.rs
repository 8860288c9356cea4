//! Errors: RFC 9457 problem details, and the one list of their codes.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// RFC 9457 problem details; `application/problem+json` over REST, the same object over WebSocket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// `urn:starling:error:<code>`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Stable code, see the list of codes.
    #[schema(value_type = crate::schema::ErrorCode)]
    pub code: String,
    /// HTTP status, also over WebSocket.
    pub status: u16,
    /// Short text in the asker's language (`Accept-Language`: English or Chinese).
    pub title: String,
    /// What exactly, in English, for developers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// When to try again, milliseconds from now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// Names the request in the server's log.
    pub request_id: String,
    /// Fields that were wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

/// A field that was wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldError {
    /// Path in the body, e.g. `content.text`.
    pub field: String,
    /// What is wrong with it, in English.
    pub message: String,
}

/// What is known of an error code.
#[derive(Debug, Clone, Copy)]
pub struct CodeInfo {
    /// The code as it stands on the wire.
    pub code: &'static str,
    /// HTTP status.
    pub status: u16,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// Title in English.
    pub en: &'static str,
    /// Title in Chinese.
    pub zh: &'static str,
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])* $name:ident = $code:literal, $status:literal, $retry:literal, $en:literal, $zh:literal;)*) => {
        /// All error codes of the native wire; docs, OpenAPI and SDK types are made from this list.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[doc = $doc])* #[doc = $en] $name,)* }

        impl Code {
            /// Every code, in the order of the list.
            pub const ALL: &'static [Code] = &[$(Code::$name,)*];

            /// What is known of it.
            pub const fn info(self) -> CodeInfo {
                match self { $(Code::$name => CodeInfo { code: $code, status: $status, retryable: $retry, en: $en, zh: $zh },)* }
            }
        }
    };
}

codes! {
    MalformedJson = "malformed_json", 400, false, "The request is not valid JSON", "请求不是有效的 JSON";
    InvalidRequest = "invalid_request", 422, false, "The request has invalid fields", "请求包含无效的字段";
    UnknownOperation = "unknown_operation", 400, false, "There is no such operation", "没有这个操作";
    NotFound = "not_found", 404, false, "There is nothing at this address", "此地址没有内容";
    MethodNotAllowed = "method_not_allowed", 405, false, "This address does not take this method", "此地址不支持该方法";
    UnsupportedMediaType = "unsupported_media_type", 415, false, "The body must be application/json", "请求体必须是 application/json";
    PayloadTooLarge = "payload_too_large", 413, false, "The request is too large", "请求太大";
    RequestTimeout = "request_timeout", 408, true, "The request did not arrive in time", "请求未能及时到达";
    Unauthenticated = "unauthenticated", 401, false, "Sign in first", "请先登录";
    TokenExpired = "token_expired", 401, false, "The access token has expired", "访问令牌已过期";
    TokenRevoked = "token_revoked", 401, false, "This device has been signed out", "此设备已被登出";
    RefreshReused = "refresh_reused", 401, false, "The refresh token was used before; the device is signed out", "刷新令牌已被使用过，设备已登出";
    WrongCredentials = "wrong_credentials", 401, false, "Wrong user or password", "用户名或密码错误";
    UserDisabled = "user_disabled", 403, false, "This account is disabled", "此账号已被停用";
    RegistrationClosed = "registration_closed", 403, false, "Registration is closed", "注册已关闭";
    SetupTokenInvalid = "setup_token_invalid", 403, false, "The setup link is no longer valid", "设置链接已失效";
    DirectoryClosed = "directory_closed", 403, false, "Users of this app cannot be searched", "此应用不允许搜索用户";
    UserExists = "user_exists", 409, false, "This user id is taken", "该用户名已被占用";
    UnknownApp = "unknown_app", 404, false, "There is no such app", "没有这个应用";
    UnknownUser = "unknown_user", 404, false, "There is no such user", "没有这个用户";
    UnknownDevice = "unknown_device", 404, false, "There is no such device", "没有这个设备";
    UnknownRoom = "unknown_room", 404, false, "There is no such room, or it is not yours to see", "没有这个房间，或您无权查看";
    UnknownMessage = "unknown_message", 404, false, "There is no such message", "没有这条消息";
    MessageDeleted = "message_deleted", 409, false, "The message has been deleted", "消息已被删除";
    RoomExists = "room_exists", 409, false, "This room id is taken", "该房间标识已被占用";
    RoomFull = "room_full", 409, false, "The room has no place left", "房间已满";
    NotAMember = "not_a_member", 403, false, "You are not a member of this room", "您不是该房间的成员";
    NotInvited = "not_invited", 403, false, "This room can only be joined by invitation", "该房间只能受邀加入";
    AlreadyMember = "already_member", 409, false, "This user is already in the room", "该用户已在房间中";
    LevelTooLow = "level_too_low", 403, false, "Your level in this room does not allow this", "您在该房间的级别不允许此操作";
    NotYourMessage = "not_your_message", 403, false, "Only the sender may edit a message", "只有发送者可以编辑消息";
    LastOwner = "last_owner", 409, false, "The last owner must hand over first", "最后一位所有者必须先移交";
    DirectRoomFixed = "direct_room_fixed", 409, false, "A direct room has exactly its two members", "单聊房间的成员不能更改";
    TooManyReactions = "too_many_reactions", 409, false, "This message has too many different reactions", "该消息的表情种类过多";
    ClientIdReused = "client_id_reused", 409, false, "This client id was used for another request", "该客户端标识已用于其他请求";
    AdminOnly = "admin_only", 403, false, "Only an administrator may do this", "只有管理员可以执行此操作";
    RateLimited = "rate_limited", 429, true, "Too many requests; wait a little", "请求过于频繁，请稍候";
    Overloaded = "overloaded", 503, true, "The server is busy; try again", "服务器繁忙，请重试";
    StorageUnavailable = "storage_unavailable", 503, true, "The server cannot write at the moment", "服务器暂时无法写入";
    Draining = "draining", 503, true, "The server is restarting", "服务器正在重启";
    Internal = "internal", 500, true, "Something went wrong on the server", "服务器内部错误";
}
