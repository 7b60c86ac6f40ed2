//! Opens a data directory: alone, with a replica, or as one of a cluster.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, RwLock};

use super::data_folder::{LOCK_PATIENCE, check_identity, lock_for, node_name};
use super::existing::{self, Existing};
use super::index::Index;
use super::{SESSIONS_FOLDER, Store};
use crate::session::leases::Leases;
use crate::session::lifecycle::StateWriter;
use crate::session::replica::Replica;
use crate::session::replication::{Membership, Replication};
use crate::session::stored_size::TotalSize;

/// Where sessions are kept beside the data directory.
type Elsewhere = (Arc<dyn Replica>, Option<Membership>);

impl Store {
    /// Opens a data directory, which is created if it does not exist. Its sessions are only listed: each is read when it is
    /// requested, all of them by [`Store::load`].
    ///
    /// # Errors
    /// `WouldBlock` if another process uses the directory; other I/O errors.
    pub fn open(data: &Path) -> io::Result<Store> {
        Store::open_with(data, None)
    }

    /// The same for sessions that are kept in a replica, too. Those that are only there are restored.
    ///
    /// # Errors
    /// Those of [`Store::open`]; `InvalidInput` if the directory is the cache of another replica; those of the replica.
    pub fn open_replicated(data: &Path, replica: Arc<dyn Replica>) -> io::Result<Store> {
        Store::open_with(data, Some((replica, None)))
    }

    /// The same for one of several servers with this replica, which share its sessions by `leases`; the others reach this one
    /// at `address`.
    ///
    /// # Errors
    /// Those of [`Store::open_replicated`].
    pub fn open_shared(
        data: &Path,
        replica: Arc<dyn Replica>,
        leases: Arc<dyn Leases>,
        address: String,
    ) -> io::Result<Store> {
        fs::create_dir_all(data)?;
        let node = node_name(&data.join("node"))?;
        Store::open_with(data, Some((replica, Some(Membership { leases, node, address }))))
    }

    fn open_with(data: &Path, elsewhere: Option<Elsewhere>) -> io::Result<Store> {
        let sessions_folder = data.join(SESSIONS_FOLDER);
        fs::create_dir_all(&sessions_folder)?;
        let lock = File::create(data.join("lock"))?;
        if !lock_for(&lock, LOCK_PATIENCE)? {
            let message = format!("{} is in use by another stemwire", data.display());
            return Err(io::Error::new(io::ErrorKind::WouldBlock, message));
        }
        // Before any session is created: a directory without a manifest is then left by a crash.
        let mut unread = existing::session_ids(&sessions_folder)?;
        let start = |(replica, membership)| Replication::start(replica, membership);
        let replication = elsewhere.map(start).transpose()?;
        if let Some(replication) = &replication {
            check_identity(&data.join("store"), &replication.identity()?)?;
            unread.extend(replication.sessions()?);
        }
        Ok(Store {
            sessions_folder,
            index: RwLock::new(Index { unread, ..Index::default() }),
            existing: Existing::default(),
            total: TotalSize::default(),
            replication,
            state_writer: Mutex::new(Some(StateWriter::new())),
            _lock: lock,
        })
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if let Some(replication) = &self.replication {
            replication.close();
        }
    }
}
