//! The case-folded beginnings by which a user can be found, the same in every backend.

use std::collections::BTreeSet;

use crate::WORD_SUFFIX_CHARS_MAX;

/// The words of a user: the id whole, and the words of the display name.
///
/// Chinese and Japanese names have no spaces, so each of their suffixes is a word of its own: any part of the name is
/// then the beginning of a word.
pub fn words_of(id: &str, display_name: &str) -> BTreeSet<String> {
    let name = fold(display_name);
    let mut words = BTreeSet::from([fold(id)]);
    // Words are split by white space first, so that a name with punctuation is found as it is written, too.
    for word in name.split_whitespace() {
        words.insert(word.to_owned());
        for part in word.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty()) {
            words.insert(part.to_owned());
            for (index, character) in part.char_indices() {
                if is_ideographic(character) {
                    words.insert(part[index..].chars().take(WORD_SUFFIX_CHARS_MAX).collect());
                }
            }
        }
    }
    words
}

/// A text as words are compared.
pub fn fold(text: &str) -> String {
    text.to_lowercase()
}

/// Han, Hiragana, Katakana, and Hangul syllables.
fn is_ideographic(character: char) -> bool {
    matches!(character,
        '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}'
        | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{323af}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_into_words() {
        let check = |id: &str, name: &str, expect: &[&str]| {
            assert_eq!(words_of(id, name).iter().map(String::as_str).collect::<Vec<_>>(), expect);
        };
        check("ann", "Ann Lee", &["ann", "lee"]);
        check("a.b", "Jean-Luc O'Neil", &["a.b", "jean", "jean-luc", "luc", "neil", "o", "o'neil"]);
        check("wxm", "王小明", &["wxm", "小明", "明", "王小明"]);
        check("x", "李雷 Ray", &["ray", "x", "李雷", "雷"]);
        check("y", "  ", &["y"]);
    }
}
