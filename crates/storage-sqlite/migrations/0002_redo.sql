-- What is committed and not yet in log: packed messages and cursors, one row for each group of the writer; see
-- docs/adr/0012. The largest key tells which group a reader sees.
CREATE TABLE redo (
    key INTEGER PRIMARY KEY,
    records BLOB NOT NULL
) STRICT;
