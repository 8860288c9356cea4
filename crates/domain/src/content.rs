//! What messages say.

use smol_str::SmolStr;

use crate::refusal::invalid;
use crate::{Refusal, UserId};

/// Longest text of a message, in bytes.
pub const TEXT_BYTES_MAX: usize = 16 * 1024;
/// Longest `data` of a message, in bytes of JSON.
pub const DATA_BYTES_MAX: usize = 16 * 1024;
/// Most mentions in a message.
pub const MENTIONS_MAX: usize = 50;

/// What a message says.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Content {
    /// Text.
    Text(TextContent),
}

/// Text of a message.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TextContent {
    /// The text, 1 to [`TEXT_BYTES_MAX`] bytes.
    pub text: SmolStr,
    /// How to show it.
    pub format: TextFormat,
    /// Users called on.
    pub mentions: Vec<UserId>,
    /// The app's own data: a JSON object, kept to the letter.
    pub data: Option<SmolStr>,
}

/// How to show a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TextFormat {
    /// As it is.
    Plain,
    /// As CommonMark.
    Markdown,
}

impl Content {
    /// Plain text and nothing else.
    pub fn plain(text: impl Into<SmolStr>) -> Self {
        Content::Text(TextContent { text: text.into(), format: TextFormat::Plain, mentions: Vec::new(), data: None })
    }

    /// How many bytes it holds.
    pub fn bytes(&self) -> usize {
        match self {
            Content::Text(text) => text.text.len() + text.data.as_ref().map_or(0, |data| data.len()),
        }
    }

    pub(crate) fn check(&self) -> Result<(), Refusal> {
        match self {
            Content::Text(text) => {
                if text.text.trim().is_empty() {
                    return Err(invalid("content.text", "must not be empty"));
                }
                if text.text.len() > TEXT_BYTES_MAX {
                    return Err(invalid("content.text", "must have at most 16384 bytes"));
                }
                if text.mentions.len() > MENTIONS_MAX {
                    return Err(invalid("content.mentions", "must have at most 50 users"));
                }
                if text.data.as_ref().is_some_and(|data| data.len() > DATA_BYTES_MAX) {
                    return Err(invalid("content.data", "must have at most 16384 bytes"));
                }
                Ok(())
            }
        }
    }
}
