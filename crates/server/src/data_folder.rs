//! The data folder: where its files lie, and the lock that keeps a second process out.
//!
//! The lock belongs to the open file, so the operating system drops it with the process, however that ends.

use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use engine::Secrets;
use thiserror::Error;

/// The file that is locked, with the number of the process in it. (The store has a lock of its own beside it; this one
/// covers the socket and the key too, and can tell who holds it.)
const LOCK_FILE: &str = "starling.pid";

/// What the mode of a folder allows to its group and to everybody.
const OTHERS: u32 = 0o077;
/// In such a folder everybody may make files of their own.
const STICKY: u32 = 0o1000;

/// Why a data folder can't be used.
#[derive(Debug, Error)]
pub enum DataFolderError {
    #[error("the data folder {path} is in use by {holder} / 数据目录 {path} 正被 {holder} 使用")]
    InUse { path: String, holder: String },
    #[error("there is no data in {0} (no starling.db); check --data / {0} 中没有数据(缺少 starling.db),请检查 --data")]
    Empty(String),
    #[error("{path}: {source}")]
    Io {
        path: String,
        #[source]
        source: std::io::Error,
    },
    #[error("{0} does not hold a key of 32 bytes in base64 / {0} 不是 32 字节的 base64 密钥")]
    BadKey(String),
}

/// Whether a folder without data is fine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    Make,
    Refuse,
}

/// A data folder whose lock is held.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    _lock: File,
}

/// The database of a data folder.
pub fn database(folder: &Path) -> PathBuf {
    folder.join("starling.db")
}

/// The socket of the admin commands of a data folder.
pub fn admin_socket(folder: &Path) -> PathBuf {
    folder.join("admin.sock")
}

impl DataFolder {
    /// Takes the lock of a folder.
    pub fn lock(path: &Path, missing: Missing) -> Result<Self, DataFolderError> {
        if missing == Missing::Refuse && !database(path).exists() {
            return Err(DataFolderError::Empty(path.display().to_string()));
        }
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|source| io(path, source))?;
        keep_private(path).map_err(|source| io(path, source))?;
        let file = path.join(LOCK_FILE);
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&file)
            .map_err(|source| io(&file, source))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Without the number the message still says what is the matter.
                let _ = lock.read_to_string(&mut holder);
                let holder = match holder.trim() {
                    "" => "another process".to_owned(),
                    number => format!("process {number}"),
                };
                return Err(DataFolderError::InUse { path: path.display().to_string(), holder });
            }
            Err(TryLockError::Error(source)) => return Err(io(&file, source)),
        }
        let note = lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id()));
        note.map_err(|source| io(&file, source))?;
        Ok(Self { path: path.to_path_buf(), _lock: lock })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The server's secrets: from the file named, or from `secret.key` here, which is made on the first start.
    pub fn secrets(&self, token_key_file: Option<&Path>) -> Result<Secrets, DataFolderError> {
        let token_key = match token_key_file {
            Some(file) => read_key(file)?,
            None => {
                let file = self.path.join("secret.key");
                match make_key(&file) {
                    Ok(key) => key,
                    Err(error) if error.kind() == ErrorKind::AlreadyExists => read_key(&file)?,
                    Err(source) => return Err(io(&file, source)),
                }
            }
        };
        Ok(Secrets { token_key })
    }
}

/// A folder that was there before may be open to others. It becomes its owner's if that is us.
fn keep_private(path: &Path) -> std::io::Result<()> {
    let metadata = std::fs::metadata(path)?;
    let mode = metadata.permissions().mode();
    if mode & OTHERS == 0 {
        return Ok(());
    }
    // A folder such as /tmp belongs to everybody on purpose.
    let is_ours = metadata.uid() == rustix::process::geteuid().as_raw() && mode & STICKY == 0;
    if is_ours {
        std::fs::set_permissions(path, Permissions::from_mode(0o700))?;
    }
    let mode = format!("{:o}", mode & 0o7777);
    tracing::warn!(path = %path.display(), mode, tightened = is_ours, "the data folder was open to others");
    Ok(())
}

fn make_key(file: &Path) -> std::io::Result<[u8; 32]> {
    if file.exists() {
        return Err(ErrorKind::AlreadyExists.into());
    }
    let key: [u8; 32] = rand::random();
    // Under another name first: a crash in between must not leave half a key.
    let fresh = file.with_extension("key.new");
    let _ = std::fs::remove_file(&fresh);
    let mut out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
    writeln!(out, "{}", STANDARD.encode(key))?;
    out.sync_all()?;
    std::fs::rename(&fresh, file)?;
    Ok(key)
}

fn read_key(file: &Path) -> Result<[u8; 32], DataFolderError> {
    let text = std::fs::read_to_string(file).map_err(|source| io(file, source))?;
    let bytes = STANDARD.decode(text.trim()).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    bytes.ok_or_else(|| DataFolderError::BadKey(file.display().to_string()))
}

fn io(path: &Path, source: std::io::Error) -> DataFolderError {
    DataFolderError::Io { path: path.display().to_string(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_holder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        assert!(matches!(DataFolder::lock(&path, Missing::Refuse), Err(DataFolderError::Empty(_))));
        let held = DataFolder::lock(&path, Missing::Make).unwrap();
        let error = DataFolder::lock(&path, Missing::Make).unwrap_err().to_string();
        assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
        drop(held);
        DataFolder::lock(&path, Missing::Make).unwrap();
    }

    #[test]
    fn a_folder_that_is_open_to_others_is_closed() {
        let parent = tempfile::tempdir().unwrap();
        let check = |name: &str, mode: u32, expect: u32| {
            let path = parent.path().join(name);
            std::fs::create_dir(&path).unwrap();
            std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let _held = DataFolder::lock(&path, Missing::Make).unwrap();
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, expect, "{mode:o}");
        };
        check("everybodys", 0o777, 0o700);
        check("groups", 0o750, 0o700);
        check("own", 0o700, 0o700);
        check("shared", 0o1777, 0o1777);
    }

    #[test]
    fn the_key_is_made_once_and_is_the_owners() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataFolder::lock(folder.path(), Missing::Make).unwrap();
        let key = data.secrets(None).unwrap().token_key;
        assert_eq!(data.secrets(None).unwrap().token_key, key);
        let file = folder.path().join("secret.key");
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(data.secrets(Some(&file)).unwrap().token_key, key);
        std::fs::write(&file, "short").unwrap();
        assert!(matches!(data.secrets(None), Err(DataFolderError::BadKey(_))));
    }
}
