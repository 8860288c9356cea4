//! Reads the stories of the demo: rooms and what is said in them, as plain text that a person can write.
//! The first lines of `lounge.txt` say what the lines mean.

use anyhow::{Context, Result, bail, ensure};

/// A room and its story.
#[derive(Debug, PartialEq, Eq)]
pub struct Story {
    pub place: Place,
    /// Who is in it; the first makes it.
    pub people: Vec<String>,
    /// Who has how many messages yet to read.
    pub unread: Vec<(String, u64)>,
    pub lines: Vec<Line>,
}

/// Where a story happens.
#[derive(Debug, PartialEq, Eq)]
pub enum Place {
    Direct,
    Group { id: String, name: String, topic: String, open: bool },
}

/// A message and what becomes of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    pub who: String,
    /// Minutes after the line before.
    pub minutes: i64,
    /// Answers the message this many lines before.
    pub answers: Option<usize>,
    pub text: String,
    pub edited: Option<String>,
    pub deleted: bool,
    pub reactions: Vec<(String, String)>,
}

/// Reads the stories of a file.
pub fn read(text: &str) -> Result<Vec<Story>> {
    let mut stories: Vec<Story> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let read = match line {
            line if line.starts_with('#') || line.trim().is_empty() => Ok(()),
            line if line.starts_with('@') => story(&line[1..]).map(|story| stories.push(story)),
            line => match stories.last_mut() {
                Some(story) => add(story, line),
                None => bail!("line {}: no room yet", index + 1),
            },
        };
        read.with_context(|| format!("line {}: {line}", index + 1))?;
    }
    Ok(stories)
}

fn story(head: &str) -> Result<Story> {
    let mut parts = head.split(" | ");
    let first = parts.next().context("a head")?;
    let (id, rest) = first.split_once(' ').context("a room and its kind or people")?;
    let (place, people) = if id == "direct" {
        (Place::Direct, rest)
    } else {
        let (rule, name) = rest.split_once(' ').context("a join rule and a name")?;
        ensure!(matches!(rule, "open" | "invite"), "the join rule is open or invite");
        let topic = parts.next().context("a topic")?.to_owned();
        let place = Place::Group { id: id.to_owned(), name: name.to_owned(), topic, open: rule == "open" };
        (place, parts.next().context("people")?)
    };
    let people = people.split(' ').map(str::to_owned).collect();
    let mut unread = Vec::new();
    for part in parts {
        let mut words = part.split(' ');
        ensure!(words.next() == Some("unread"), "only `unread WHO N` may follow");
        let who = words.next().context("who has not read")?;
        unread.push((who.to_owned(), words.next().context("how many are unread")?.parse()?));
    }
    Ok(Story { place, people, unread, lines: Vec::new() })
}

fn add(story: &mut Story, line: &str) -> Result<()> {
    if let Some(extra) = line.strip_prefix("  ") {
        let last = story.lines.last_mut().context("a message before")?;
        match extra.split_at(1) {
            ("!", reactions) => {
                for reaction in reactions.split('|') {
                    let (who, key) = reaction.trim().split_once(' ').context("who and which emoji")?;
                    last.reactions.push((who.to_owned(), key.to_owned()));
                }
            }
            ("~", text) => last.edited = Some(unescape(text.trim())),
            ("x", "") => last.deleted = true,
            _ => bail!("neither !, ~ nor x"),
        }
        return Ok(());
    }
    let (head, text) = line.split_once(": ").context("a text")?;
    let mut words = head.split(' ');
    let who = words.next().context("who")?.to_owned();
    let minutes = words.next().context("how many minutes later")?.parse()?;
    let answers = match words.next() {
        Some(word) => Some(word.strip_prefix('>').context("only >N may follow")?.parse()?),
        None => None,
    };
    ensure!(answers.is_none_or(|back| back >= 1 && back <= story.lines.len()), "answers nothing");
    let text = unescape(text);
    story.lines.push(Line { who, minutes, answers, text, edited: None, deleted: false, reactions: Vec::new() });
    Ok(())
}

fn unescape(text: &str) -> String {
    text.replace("\\n", "\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::STORIES;
    use crate::demo::people::PEOPLE;

    #[test]
    fn the_stories_can_be_told() {
        let mut messages = 0;
        for text in STORIES {
            for story in read(text).unwrap() {
                messages += story.lines.len();
                let known = |who: &String| PEOPLE.iter().any(|person| person.id == who);
                assert!(story.people.iter().all(known), "{:?}", story.people);
                let present = |who: &String| story.people.contains(who);
                assert!(story.unread.iter().all(|(who, _)| present(who)));
                for line in &story.lines {
                    assert!(present(&line.who), "{line:?}");
                    assert!(line.reactions.iter().all(|(who, _)| present(who)), "{line:?}");
                }
            }
        }
        assert!((180..260).contains(&messages), "{messages} messages");
    }

    #[test]
    fn a_story_is_read_line_by_line() {
        let text = "@r open A room | topic | ada bob | unread bob 1\nada 0: Hi\nbob 2 >1: a: \\n b\n  ! ada 👍 | bob 🎉\n  ~ c\n";
        let story = &read(text).unwrap()[0];
        let place = Place::Group { id: "r".into(), name: "A room".into(), topic: "topic".into(), open: true };
        assert_eq!((&story.place, &story.unread), (&place, &vec![("bob".into(), 1)]));
        let line = &story.lines[1];
        assert_eq!((line.minutes, line.answers, line.text.as_str()), (2, Some(1), "a: \n b"));
        assert_eq!((line.edited.as_deref(), line.reactions.len()), (Some("c"), 2));
        for bad in
            ["ada 0: x", "@r odd A | t | ada", "@direct a b\na 0 >1: x", "@direct a b\na x: y", "@direct a b\n  ? x"]
        {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
