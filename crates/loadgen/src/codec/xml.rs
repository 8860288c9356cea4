//! As much of XML as an XMPP stream needs: where an element ends, its attributes, and the text in it.

use anyhow::{Context, Result, bail, ensure};
use memchr::{memchr, memchr3, memmem};

const STREAM: &str = "stream:stream";
const CDATA: &[u8] = b"<![CDATA[";
const CDATA_END: &[u8] = b"]]>";

/// A whole element, as it came.
#[derive(Debug, PartialEq, Eq)]
pub struct Element<'a> {
    /// With its prefix, if it has one.
    pub name: &'a str,
    pub text: &'a str,
}

impl<'a> Element<'a> {
    /// Whether these bytes are anywhere in it.
    pub fn has(&self, bytes: &[u8]) -> bool {
        memmem::find(self.text.as_bytes(), bytes).is_some()
    }

    /// The value of an attribute of the element itself, as it came.
    pub fn attribute(&self, name: &str) -> Option<&'a str> {
        let mut rest = &self.text[1 + self.name.len()..];
        loop {
            rest = rest.trim_ascii_start();
            let end = rest.bytes().position(|byte| matches!(byte, b'=' | b'>'))?;
            let value = rest[end..].strip_prefix('=')?.trim_ascii_start();
            let quote = *value.as_bytes().first().filter(|byte| matches!(byte, b'\'' | b'"'))?;
            let length = memchr(quote, &value.as_bytes()[1..])?;
            if rest[..end].trim_ascii_end() == name {
                return Some(&value[1..=length]);
            }
            rest = &value[length + 2..];
        }
    }

    /// The text of the first element of this name inside, as it came.
    pub fn content(&self, name: &str) -> Result<Option<&'a str>> {
        for start in memmem::find_iter(self.text.as_bytes(), name) {
            let rest = &self.text[start + name.len()..];
            if !self.text[..start].ends_with('<') || !rest.starts_with(['>', ' ', '/']) {
                continue;
            }
            let head = tag_length(rest.as_bytes()).context("a tag that does not end")?;
            if rest[..head].ends_with("/>") {
                return Ok(Some(""));
            }
            let end = memchr(b'<', &rest.as_bytes()[head..]).context("an element that does not end")?;
            ensure!(rest[head + end..].starts_with("</"), "an element in {name}, where there should be text");
            return Ok(Some(&rest[head..head + end]));
        }
        Ok(None)
    }
}

/// The first element that is there as a whole, and up to where; nothing, if it is the beginning of the stream or space
/// between elements.
pub fn take_element(bytes: &[u8]) -> Result<Option<(Option<Element<'_>>, usize)>> {
    let space = bytes.len() - bytes.trim_ascii_start().len();
    if space > 0 {
        return Ok(Some((None, space)));
    }
    match bytes {
        [] | [b'<'] => return Ok(None),
        [b'<', b'?', ..] => return Ok(memmem::find(bytes, b"?>").map(|end| (None, end + 2))),
        [b'<', b'/', ..] => bail!("the server closes the stream"),
        [b'<', ..] => {}
        _ => bail!("text between elements: {}", String::from_utf8_lossy(bytes)),
    }
    let Some(head) = tag_length(bytes) else { return Ok(None) };
    let name = bytes[1..].iter().position(|byte| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'>'));
    let name = std::str::from_utf8(&bytes[1..=name.context("a tag that does not end")?])?;
    if name == STREAM {
        return Ok(Some((None, head)));
    }
    let Some(length) = element_length(bytes)? else { return Ok(None) };
    Ok(Some((Some(Element { name, text: std::str::from_utf8(&bytes[..length])? }), length)))
}

/// Goes from tag to tag until as many are closed as were opened.
fn element_length(bytes: &[u8]) -> Result<Option<usize>> {
    let (mut at, mut depth) = (0, 0_usize);
    loop {
        let rest = &bytes[at..];
        let length = match rest.get(1) {
            None => None,
            Some(b'!') if CDATA.starts_with(&rest[..rest.len().min(CDATA.len())]) => {
                memmem::find(rest, CDATA_END).map(|end| end + CDATA_END.len())
            }
            Some(b'!') => bail!("something that no stream may hold: {}", String::from_utf8_lossy(rest)),
            Some(b'/') => {
                depth = depth.checked_sub(1).context("a tag that closes nothing")?;
                memchr(b'>', rest).map(|end| end + 1)
            }
            Some(_) => {
                let length = tag_length(rest);
                depth += usize::from(length.is_some_and(|length| !rest[..length].ends_with(b"/>")));
                length
            }
        };
        let Some(length) = length else { return Ok(None) };
        at += length;
        if depth == 0 {
            return Ok(Some(at));
        }
        let Some(next) = memchr(b'<', &bytes[at..]) else { return Ok(None) };
        at += next;
    }
}

/// Up to where a tag goes. What is in quotes does not end it.
fn tag_length(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr3(b'>', b'\'', b'"', &bytes[at..])? + 1;
        match bytes[at - 1] {
            b'>' => return Some(at),
            quote => at += memchr(quote, &bytes[at..])? + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The elements of a text, which must be known as soon as they are whole, and not before.
    fn check(text: &str, expect: &[&str]) {
        for cut in 0..=text.len() {
            let (mut used, mut found) = (0, Vec::new());
            while let Some((element, length)) = take_element(&text.as_bytes()[used..cut]).expect("well-formed") {
                used += length;
                found.extend(element.map(|element| element.text));
            }
            let ends: Vec<_> =
                expect.iter().filter(|one| text.find(**one).is_some_and(|at| at + one.len() <= cut)).collect();
            assert!(found.iter().eq(ends.iter().copied()), "cut at {cut}: {found:?}");
        }
    }

    #[test]
    fn elements_end_where_they_end() {
        check("<?xml version='1.0'?><stream:stream to='>'> \n<a/> <b>t</b>", &["<a/>", "<b>t</b>"]);
        check(r#"<a x='/>' y=">'"><a><c/></a>é</a><d/>"#, &[r#"<a x='/>' y=">'"><a><c/></a>é</a>"#, "<d/>"]);
        check("<a><![CDATA[</a><b>]]></a>", &["<a><![CDATA[</a><b>]]></a>"]);
        for wrong in ["text", "</stream:stream>", "<a><!DOCTYPE></a>"] {
            assert!(take_element(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn parts_of_an_element() {
        let text =
            r#"<m:x id = 'no="1"' to="a>b"><bodyguard n='body'/><body lang='>'>t&amp;</body><y z='1'/><body/></m:x>"#;
        let (element, length) = take_element(text.as_bytes()).unwrap().unwrap();
        let element = element.unwrap();
        assert_eq!((element.name, length), ("m:x", text.len()));
        let attributes = ["id", "to", "z", "no", "lang"].map(|name| element.attribute(name));
        assert_eq!(attributes, [Some(r#"no="1""#), Some("a>b"), None, None, None]);
        assert_eq!(element.content("body").unwrap(), Some("t&amp;"));
        assert_eq!(element.content("bodyguard").unwrap(), Some(""));
        assert_eq!(element.content("bod").unwrap(), None);
        assert!(Element { name: "a", text: "<a><b><c/></b></a>" }.content("b").is_err());
    }
}
