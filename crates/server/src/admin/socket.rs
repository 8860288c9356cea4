//! The server's end of the admin socket: one line of JSON in, one line out. Who may open the socket is the operator;
//! only the owner of the data folder may.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::{AdminContext, AdminRequest, AdminResponse, LINE_BYTES_MAX, PROTOCOL_VERSION, run};

/// Commands that are carried out at the same time; more wait.
const COMMANDS_AT_ONCE_MAX: usize = 8;
/// How long a client may take to send its command.
const READ_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest path that the operating system takes for a socket, in bytes, without the closing zero.
const SOCKET_PATH_BYTES_MAX: usize = 107;

/// The listening socket; its file goes with it.
#[derive(Debug)]
pub struct AdminSocket {
    path: PathBuf,
    listener: UnixListener,
}

impl AdminSocket {
    /// Listens. The lock of the data folder is held, so a file of that name is a leftover.
    pub fn bind(path: &Path) -> io::Result<Self> {
        // It is made in a folder of the owner's until its permissions are right: whatever the data folder and the umask
        // allow, there is no moment in which others may connect.
        let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
        let private =
            tempfile::Builder::new().prefix(".admin-").permissions(Permissions::from_mode(0o700)).tempdir_in(folder)?;
        let fresh = private.path().join("s");
        let listener = UnixListener::bind(reachable(&fresh)?.path())?;
        std::fs::set_permissions(&fresh, Permissions::from_mode(0o600))?;
        std::fs::rename(&fresh, path)?;
        Ok(Self { path: path.to_path_buf(), listener })
    }

    /// Answers for ever.
    pub async fn serve(self, context: Arc<AdminContext>) {
        let places = Arc::new(Semaphore::new(COMMANDS_AT_ONCE_MAX));
        loop {
            let place = places.clone().acquire_owned().await.expect("nobody closes the semaphore");
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let context = context.clone();
                    tokio::spawn(async move {
                        if let Err(error) = answer(stream, &context).await {
                            tracing::warn!(%error, "an admin command got no answer");
                        }
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "the admin socket does not accept");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }
}

impl Drop for AdminSocket {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

async fn answer(stream: UnixStream, context: &AdminContext) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut line = String::new();
    let mut reader = BufReader::new(reader.take(LINE_BYTES_MAX));
    timeout(READ_TIMEOUT, reader.read_line(&mut line)).await.map_err(|_| io::ErrorKind::TimedOut)??;
    let response = match serde_json::from_str::<AdminRequest>(&line) {
        Ok(request) if request.version == PROTOCOL_VERSION => match run(context, request.command).await {
            Ok(answer) => AdminResponse::Answer(answer),
            Err(error) => AdminResponse::Error(format!("{error:#}")),
        },
        _ => AdminResponse::Error(
            "the running server is of another version than this command / 正在运行的服务器与此命令版本不同".to_owned(),
        ),
    };
    let mut line = serde_json::to_vec(&response)?;
    line.push(b'\n');
    writer.write_all(&line).await?;
    writer.shutdown().await
}

/// A path by which a socket can be reached even if its own is too long for the operating system.
#[derive(Debug)]
pub struct Reachable {
    path: PathBuf,
    /// Keeps the folder open while the path goes through it.
    _folder: Option<std::fs::File>,
}

impl Reachable {
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Finds a path that is short enough: the path itself, or one through the open folder (on Linux).
pub fn reachable(path: &Path) -> io::Result<Reachable> {
    use std::os::fd::AsRawFd;
    if path.as_os_str().len() <= SOCKET_PATH_BYTES_MAX {
        return Ok(Reachable { path: path.to_path_buf(), _folder: None });
    }
    let (folder, name) = match (path.parent(), path.file_name()) {
        (Some(folder), Some(name)) => (folder, name),
        _ => return Err(io::ErrorKind::InvalidInput.into()),
    };
    let folder = std::fs::File::open(folder)?;
    let path = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())).join(name);
    Ok(Reachable { path, _folder: Some(folder) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_socket_is_its_owners_in_a_folder_that_is_everybodys() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
        let path = folder.path().join("admin.sock");
        for _ in 0..2 {
            // The second time over a leftover.
            let socket = AdminSocket::bind(&path).unwrap();
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().path()).collect();
            assert_eq!(files, std::slice::from_ref(&path));
            UnixStream::connect(&path).await.unwrap();
            std::mem::forget(socket);
        }
    }
}
