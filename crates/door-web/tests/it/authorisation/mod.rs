//! Authorisation: every operation, asked by everybody, over REST and over WebSocket, is answered as one table says.
//!
//! `table.txt` is that table, and the operations come from the door's own OpenAPI document: one without a row fails, and so
//! does a row without an operation. Each cell checks the answer and its stable code; that a refusal has changed no app's
//! log and says nothing of users, rooms and messages; and of an answer, which of the room's secrets it shows.

mod arguments;
mod asking;
mod operations;
mod page;
mod people;
mod place;
mod table;

use std::collections::BTreeSet;

use arguments::arguments;
use asking::{Asker, Way, ask};
use operations::{Operation, Operations};
use people::People;
use place::Place;
use serde_json::json;
use table::{EVERY, Matrix, Outcome, Row, Table};

/// The tables that have a test; it is named after the table.
const TESTED: [&str; 10] =
    ["tokens", "open", "own", "group", "joined", "invited", "anyone", "entered", "strict", "lax"];
/// The one whose room is a direct one.
const DIRECT: &str = "direct";
/// Those in which one room does for all rows.
const ONE_ROOM: [&str; 3] = ["tokens", "open", "own"];

macro_rules! cells_of {
    ($($table:ident)*) => {
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $table() {
            check(stringify!($table)).await;
        })*
    };
}

/// Every cell of the table of this name.
mod cells {
    use super::check;

    cells_of!(tokens open own group joined invited anyone entered strict lax direct);
}

/// Runs every cell of a table, and says of all that are not as expected what they are.
async fn check(name: &str) {
    let (matrix, operations) = (Matrix::load(), Operations::load());
    let mut stage = Stage::new(name).await;
    let (mut wrong, mut cells) = (Vec::new(), 0);
    for row in rows(&matrix, matrix.table(name), &operations) {
        let operation = operations.get(&row.operation);
        stage.before(&row).await;
        for (role, cell) in matrix.table(name).columns.iter().zip(&row.cells) {
            for way in ways(operation) {
                cells += 1;
                let expected = matrix.outcome(cell);
                let got = stage.ask(way, operation, &row, role).await;
                if got.as_ref() != Ok(&expected) {
                    let got = got.map_or_else(|error| error, |outcome| matrix.cell(&outcome));
                    wrong.push(format!("{} as {role} over {way:?}: expected {cell}, got {got}", row.name()));
                }
            }
        }
        stage.after(&row).await;
    }
    assert!(wrong.is_empty(), "{} of {cells} cells of {name} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(cells >= 2 * matrix.table(name).columns.len(), "{name}: {cells} cells");
}

/// The rows to be asked for: the one of the table of tokens stands for every operation that needs one.
fn rows(matrix: &Matrix, table: &Table, operations: &Operations) -> Vec<Row> {
    let [every] = &table.rows[..] else { return table.rows.clone() };
    assert_eq!(every.operation, EVERY, "{}", table.name);
    let any_of = |id: &str| {
        let rows = matrix.tables.iter().flat_map(|table| &table.rows);
        let row = rows.clone().find(|row| row.operation == id).unwrap_or_else(|| panic!("{id} has no row"));
        Row { cells: every.cells.clone(), ..row.clone() }
    };
    operations.iter().filter(|(_, operation)| operation.protected).map(|(id, _)| any_of(id)).collect()
}

fn ways(operation: &Operation) -> Vec<Way> {
    let rest = operation.rest.is_some().then_some(Way::Rest);
    rest.into_iter().chain(operation.socket.then_some(Way::Socket)).collect()
}

/// A server, and a room on it that is as it was made until a command is done.
struct Stage {
    table: String,
    people: People,
    place: Place,
    rooms: u32,
    used: bool,
}

impl Stage {
    async fn new(table: &str) -> Self {
        let people = People::new().await;
        let mut place = place::direct(&people).await;
        if table != DIRECT {
            place = place::group(&people, table, 0).await;
        }
        Self { table: table.to_owned(), people, place, rooms: 1, used: false }
    }

    async fn before(&self, row: &Row) {
        if row.what.ends_with("closed-directory") {
            self.people.set_directory_open(false).await;
        }
    }

    async fn after(&self, row: &Row) {
        if row.what.ends_with("closed-directory") {
            self.people.set_directory_open(true).await;
        }
    }

    async fn ask(&mut self, way: Way, operation: &Operation, row: &Row, role: &str) -> Result<Outcome, String> {
        // Somebody of another app can take the id there, but only once.
        let is_taken = row.what == "taken-id";
        if self.used && (is_taken || !ONE_ROOM.contains(&self.table.as_str())) {
            self.place = match self.table.as_str() {
                DIRECT => place::direct(&self.people).await,
                table => place::group(&self.people, table, self.rooms).await,
            };
            self.rooms += 1;
        }
        // Who has no good token asks for what the owner would.
        let like = if self.table == "tokens" { "owner" } else { role };
        let mut token = self.people.token(role);
        let mut arguments = arguments(&self.people, &self.place, row, like).await;
        match (self.table.as_str(), row.operation.as_str()) {
            // What ends a device is done by one that nothing else needs.
            ("own", "auth.logout") => token = Some(self.people.spare(role).await.access_token),
            // There is nothing that nobody could connect with.
            ("tokens", "connect") if token.is_none() => arguments = json!({"token": ""}),
            _ => {}
        }
        let asker = Asker { role, token };
        let (outcome, changed) = ask(&self.people, way, (&row.operation, operation), &asker, arguments).await;
        self.used = changed;
        outcome
    }
}

/// The operations that the tables name, and those that there are.
#[test]
fn every_operation_has_a_row() {
    let (matrix, operations) = (Matrix::load(), Operations::load());
    let rows = matrix.tables.iter().flat_map(|table| &table.rows).filter(|row| row.operation != EVERY);
    let written: BTreeSet<&str> = rows.map(|row| row.operation.as_str()).collect();
    let there: BTreeSet<&str> = operations.iter().map(|(id, _)| id).collect();
    assert_eq!(there.difference(&written).collect::<Vec<_>>(), Vec::<&&str>::new(), "operations without a row");
    assert_eq!(written.difference(&there).collect::<Vec<_>>(), Vec::<&&str>::new(), "rows without an operation");
    for (id, operation) in operations.iter() {
        assert!(!ways(operation).is_empty(), "{id} can't be asked for");
    }
}

/// Whatever is done in a room is asked for in every kind of room, and every table is asked for.
#[test]
fn every_table_is_whole() {
    let matrix = Matrix::load();
    let names = |table: &Table| table.rows.iter().map(Row::name).collect::<Vec<_>>();
    let in_rooms = names(matrix.table("group"));
    for table in &matrix.tables {
        let name = table.name.as_str();
        assert!(TESTED.contains(&name) || name == DIRECT, "{name} has no test");
        assert_eq!(BTreeSet::from_iter(names(table)).len(), table.rows.len(), "{name} has a row twice");
        if !ONE_ROOM.contains(&name) {
            assert_eq!(names(table), in_rooms, "{name}");
        }
    }
    assert_eq!(matrix.tables.len(), TESTED.len() + 1);
}

/// No symbol, letter or role is explained for nothing, and each is explained once.
#[test]
fn everything_explained_is_used() {
    let matrix = Matrix::load();
    let cells = || matrix.tables.iter().flat_map(|table| table.rows.iter().flat_map(|row| &row.cells));
    for (symbol, code) in &matrix.symbols {
        assert!(cells().any(|cell| cell == symbol), "{symbol} is not used");
        assert!(wire::Code::ALL.iter().any(|known| known.info().code == code), "{code} is no code");
        assert_eq!(matrix.symbols.iter().filter(|(other, of)| other == symbol || of == code).count(), 1, "{symbol}");
    }
    for (letter, _) in &matrix.shown {
        assert!(cells().any(|cell| cell.starts_with('+') && cell.contains(*letter)), "{letter} is not used");
    }
    for (role, _) in &matrix.roles {
        assert!(matrix.tables.iter().any(|table| table.columns.contains(role)), "{role} is in no table");
    }
    for column in matrix.tables.iter().flat_map(|table| &table.columns) {
        assert_eq!(matrix.roles.iter().filter(|(role, _)| role == column).count(), 1, "{column} is not explained");
    }
}

/// What the OpenAPI document says of an operation has every refusal that the tables expect of it.
#[test]
fn every_refusal_is_described() {
    let (matrix, operations) = (Matrix::load(), Operations::load());
    let mut missing = BTreeSet::new();
    for table in &matrix.tables {
        for row in rows(&matrix, table, &operations) {
            let operation = operations.get(&row.operation);
            for cell in row.cells.iter().filter(|_| operation.rest.is_some()) {
                if let Outcome::Refused(code) = matrix.outcome(cell)
                    && !operation.codes.contains(&code)
                {
                    missing.insert(format!("{}: {code}", row.name()));
                }
            }
        }
    }
    assert!(missing.is_empty(), "not in the OpenAPI document:\n{}", Vec::from_iter(missing).join("\n"));
}
