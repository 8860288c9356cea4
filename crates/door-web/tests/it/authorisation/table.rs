//! The table of expected answers, as it stands in `table.txt`.

use std::collections::BTreeMap;

/// In a table that is like another one: as there.
const SAME: &str = "=";
/// The row that stands for many.
pub const EVERY: &str = "*";

#[derive(Debug, Default)]
pub struct Matrix {
    /// Symbol and code, in the order of the file.
    pub symbols: Vec<(String, String)>,
    /// Letter and what it stands for.
    pub shown: Vec<(char, String)>,
    /// Name and who it is.
    pub roles: Vec<(String, String)>,
    pub tables: Vec<Table>,
}

#[derive(Debug, Default)]
pub struct Table {
    pub name: String,
    pub title: String,
    pub intro: String,
    /// The table that this one says only the differences to.
    pub like: Option<String>,
    pub columns: Vec<String>,
    /// As written.
    pub written: Vec<Row>,
    /// As meant: what is like another table is filled in.
    pub rows: Vec<Row>,
}

/// What is expected of one operation, by column.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub operation: String,
    /// What it is done to, or with; may be empty.
    pub what: String,
    pub cells: Vec<String>,
}

impl Row {
    pub fn name(&self) -> String {
        if self.what.is_empty() { self.operation.clone() } else { format!("{}/{}", self.operation, self.what) }
    }
}

/// What was answered, or is to be.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Done; what of the room the answer shows, by the letters of the file.
    Done(String),
    /// Refused with this code.
    Refused(String),
}

impl Matrix {
    pub fn load() -> Self {
        Self::parse(include_str!("table.txt"))
    }

    pub fn table(&self, name: &str) -> &Table {
        self.tables.iter().find(|table| table.name == name).unwrap_or_else(|| panic!("no table {name}"))
    }

    /// What a cell means.
    pub fn outcome(&self, cell: &str) -> Outcome {
        match cell.strip_prefix('+') {
            Some(letters) => {
                let known = letters.chars().all(|letter| self.shown.iter().any(|(known, _)| *known == letter));
                assert!(known, "{cell} has a letter that is not explained");
                Outcome::Done(letters.to_owned())
            }
            None => {
                let code = self.symbols.iter().find(|(symbol, _)| symbol == cell).map(|(_, code)| code.clone());
                Outcome::Refused(code.unwrap_or_else(|| panic!("{cell} is not explained")))
            }
        }
    }

    /// An outcome as a cell.
    pub fn cell(&self, outcome: &Outcome) -> String {
        match outcome {
            Outcome::Done(letters) => format!("+{letters}"),
            Outcome::Refused(code) => {
                let symbol = self.symbols.iter().find(|(_, known)| known == code).map(|(symbol, _)| symbol);
                symbol.unwrap_or(code).clone()
            }
        }
    }

    fn parse(text: &str) -> Self {
        let mut matrix = Self::default();
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (word, rest) = line.split_once(' ').unwrap_or_else(|| panic!("half a line: {line}"));
            let rest = rest.trim();
            let pair = || {
                let (name, meaning) = rest.split_once(' ').unwrap_or_else(|| panic!("nothing is said of it: {line}"));
                (name.to_owned(), meaning.trim().to_owned())
            };
            match (word, matrix.tables.last_mut()) {
                ("symbol", None) => matrix.symbols.push(pair()),
                ("shown", None) => matrix.shown.push((pair().0.chars().next().expect("a letter"), pair().1)),
                ("role", None) => matrix.roles.push(pair()),
                ("table", _) => {
                    let (name, title) = pair();
                    matrix.tables.push(Table { name, title, ..Table::default() });
                }
                ("intro", Some(table)) => table.intro = rest.to_owned(),
                ("like", Some(table)) => table.like = Some(rest.to_owned()),
                ("columns", Some(table)) => table.columns = rest.split_whitespace().map(str::to_owned).collect(),
                (name, Some(table)) => {
                    let (operation, what) = name.split_once('/').unwrap_or((name, ""));
                    let cells: Vec<_> = rest.split_whitespace().map(str::to_owned).collect();
                    assert_eq!(
                        cells.len(),
                        table.columns.len(),
                        "{}: {name} has not a cell for each column",
                        table.name
                    );
                    table.written.push(Row { operation: operation.to_owned(), what: what.to_owned(), cells });
                }
                (word, None) => panic!("{word} stands outside a table"),
            }
        }
        for index in 0..matrix.tables.len() {
            matrix.tables[index].rows = matrix.meant(&matrix.tables[index]);
        }
        matrix
    }

    /// The rows with everything that they take from another table.
    fn meant(&self, table: &Table) -> Vec<Row> {
        let Some(like) = &table.like else { return table.written.clone() };
        let base = self.table(like);
        assert_eq!(base.columns, table.columns, "{} and {like} have other columns", table.name);
        let mut own: BTreeMap<String, &Row> = table.written.iter().map(|row| (row.name(), row)).collect();
        assert_eq!(own.len(), table.written.len(), "{} says something twice", table.name);
        let every = own.remove(EVERY);
        let filled = |row: &Row| {
            let own = own.get(&row.name()).copied().or(every);
            let cells = row.cells.iter().enumerate().map(|(column, cell)| match own.map(|own| &own.cells[column]) {
                Some(own) if own != SAME => own.clone(),
                _ => cell.clone(),
            });
            Row { cells: cells.collect(), ..row.clone() }
        };
        let rows: Vec<Row> = base.rows.iter().map(filled).collect();
        for (name, own) in own {
            let row = base.rows.iter().find(|row| row.name() == name);
            let row = row.unwrap_or_else(|| panic!("{name} of {} is not in {like}", table.name));
            let said = own.cells.iter().zip(&row.cells).all(|(own, base)| own != base);
            assert!(said, "{name} of {} says again what {like} says: write {SAME}", table.name);
            assert!(own.cells.iter().any(|cell| cell != SAME), "{name} of {} says nothing", table.name);
        }
        rows
    }
}
