//! Answers on a terminal: tables for people, JSON for programs.

use std::io::{self, Write};

use super::{AdminAnswer, AppRow, MemberRow, RoomRow, UserRow};
use crate::calendar::moment;

/// Writes an answer to standard output.
pub fn print(answer: &AdminAnswer, json: bool) -> io::Result<()> {
    put(&if json { as_json(answer)? } else { as_text(answer) })
}

/// Writes text to standard output. A reader that has had enough (`| head`) is no error.
pub fn put(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => done,
    }
}

/// The answer without the name of its kind: what was asked for is known.
fn as_json(answer: &AdminAnswer) -> io::Result<String> {
    let value = match answer {
        AdminAnswer::Users { rows, .. } => serde_json::to_string_pretty(rows),
        AdminAnswer::User(row) => serde_json::to_string_pretty(row),
        AdminAnswer::Rooms(rows) => serde_json::to_string_pretty(rows),
        AdminAnswer::Room { room, members } => {
            serde_json::to_string_pretty(&serde_json::json!({ "room": room, "members": members }))
        }
        AdminAnswer::Apps(rows) => serde_json::to_string_pretty(rows),
        AdminAnswer::App(row) => serde_json::to_string_pretty(row),
        AdminAnswer::Statistics(days) => serde_json::to_string_pretty(days),
        AdminAnswer::Backup { file, bytes } => {
            serde_json::to_string_pretty(&serde_json::json!({ "file": file, "bytes": bytes }))
        }
    };
    Ok(value? + "\n")
}

/// An argument as it is typed in a shell.
fn in_shell(argument: &str) -> String {
    if argument.chars().all(|character| character.is_alphanumeric() || "._=-/".contains(character)) {
        argument.to_owned()
    } else {
        format!("'{}'", argument.replace('\'', r"'\''"))
    }
}

fn as_text(answer: &AdminAnswer) -> String {
    match answer {
        AdminAnswer::Users { rows, next } => {
            let more = next
                .as_deref()
                .map(in_shell)
                .map(|next| format!("… more with --after {next} / 更多请加 --after {next}\n"));
            table(&USER_COLUMNS, &rows.iter().map(user).collect::<Vec<_>>()) + &more.unwrap_or_default()
        }
        AdminAnswer::User(row) => card(&USER_COLUMNS, &user(row)),
        AdminAnswer::Rooms(rows) => table(&ROOM_COLUMNS, &rows.iter().map(room).collect::<Vec<_>>()),
        AdminAnswer::Room { room: row, members } => {
            let members = table(&MEMBER_COLUMNS, &members.iter().map(member).collect::<Vec<_>>());
            format!("{}\n{members}", card(&ROOM_COLUMNS, &room(row)))
        }
        AdminAnswer::Apps(rows) => table(&APP_COLUMNS, &rows.iter().map(app).collect::<Vec<_>>()),
        AdminAnswer::App(row) => card(&APP_COLUMNS, &app(row)),
        AdminAnswer::Statistics(days) => {
            let rows = days.iter().flat_map(|(day, counts)| {
                counts.iter().map(move |(name, count)| [day.clone(), name.clone(), count.to_string()])
            });
            table(&["day", "what", "count"], &rows.collect::<Vec<_>>())
        }
        AdminAnswer::Backup { file, bytes } => {
            let (file, kib) = (file.display(), bytes.div_ceil(1024));
            format!("backup written to {file} ({kib} KiB) / 备份已写入\n")
        }
    }
}

const USER_COLUMNS: [&str; 6] = ["id", "name", "kind", "admin", "disabled", "created"];
const ROOM_COLUMNS: [&str; 8] = ["id", "kind", "name", "join", "members", "invited", "messages", "created"];
const MEMBER_COLUMNS: [&str; 4] = ["user", "state", "level", "read"];
const APP_COLUMNS: [&str; 5] = ["id", "name", "registration", "directory", "created"];

fn user(row: &UserRow) -> [String; 6] {
    let UserRow { id, name, kind, admin, disabled, created_at } = row;
    [id.clone(), name.clone(), kind.clone(), yes(*admin), yes(*disabled), moment(*created_at)]
}

fn room(row: &RoomRow) -> [String; 8] {
    let RoomRow { id, kind, name, join_rule, members, invited, messages, created_at } = row;
    let (members, invited, messages) = (members.to_string(), invited.to_string(), messages.to_string());
    [id.clone(), kind.clone(), name.clone(), join_rule.clone(), members, invited, messages, moment(*created_at)]
}

fn member(row: &MemberRow) -> [String; 4] {
    let MemberRow { user, state, level, read } = row;
    [user.clone(), state.clone(), level.to_string(), read.to_string()]
}

fn app(row: &AppRow) -> [String; 5] {
    let AppRow { id, name, registration_open, directory_open, created_at } = row;
    let open = |open: bool| if open { "open" } else { "closed" }.to_owned();
    [id.clone(), name.clone(), open(*registration_open), open(*directory_open), moment(*created_at)]
}

fn yes(is: bool) -> String {
    if is { "yes" } else { "no" }.to_owned()
}

/// Columns side by side, as wide as they must be.
pub fn table<const N: usize>(head: &[&str; N], rows: &[[String; N]]) -> String {
    let head = head.map(|title| title.to_uppercase());
    let lines: Vec<&[String; N]> = std::iter::once(&head).chain(rows).collect();
    let widths: [usize; N] =
        std::array::from_fn(|column| lines.iter().map(|line| width(&line[column])).max().unwrap_or(0));
    let mut text = String::new();
    for line in lines {
        for (cell, column_width) in line.iter().zip(widths) {
            text.push_str(cell);
            text.extend(std::iter::repeat_n(' ', column_width - width(cell) + 2));
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}

/// One thing, a line for each of its fields.
fn card<const N: usize>(titles: &[&str; N], fields: &[String; N]) -> String {
    let widest = titles.iter().map(|title| title.len()).max().unwrap_or(0);
    titles.iter().zip(fields).map(|(title, field)| format!("{title:widest$}  {field}\n")).collect()
}

/// Columns that a text takes on a terminal: Chinese characters and emoji take two.
fn width(text: &str) -> usize {
    let wide = |letter: char| {
        matches!(letter, '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}'
            | '\u{f900}'..='\u{faff}' | '\u{fe30}'..='\u{fe6f}' | '\u{ff00}'..='\u{ff60}' | '\u{ffe0}'..='\u{ffe6}'
            | '\u{1f300}'..='\u{1faff}' | '\u{20000}'..='\u{3fffd}')
    };
    text.chars().map(|letter| if wide(letter) { 2 } else { 1 }).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_in_both_scripts() {
        let rows = vec![["lin".into(), "林".into(), "1".into()], ["ada".into(), "Ada".into(), "22".into()]];
        let expected = "ID   NAME  N\nlin  林    1\nada  Ada   22\n";
        assert_eq!(table(&["id", "name", "n"], &rows), expected);
        assert_eq!(card(&["id", "name"], &["a".into(), "b".into()]), "id    a\nname  b\n");
    }
}
