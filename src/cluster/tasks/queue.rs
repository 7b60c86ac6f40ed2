//! What carries the notices of tasks from servers to workers.

use prost::Message;

use super::key::{TaskExecution, TaskKey};
use crate::model::{ModelName, Sha256Hash};
use crate::proto::tasks as wire;

/// A queue to which all workers of an execution listen. It is a hint: a task that it has lost is offered again.
pub trait TaskQueue: Send + Sync {
    /// Offers a task until it is withdrawn. Returns at once.
    fn offer(&self, task: QueuedTask);

    /// The task needs no answer any more.
    fn withdraw(&self, key: TaskKey);

    /// Tasks of all servers that it has, those that are being computed included, as far as is known.
    fn depth(&self) -> u64 {
        0
    }

    /// Tasks of this server that it has lost.
    fn lost(&self) -> u64 {
        0
    }
}

/// A task without its samples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedTask {
    /// Its name.
    pub key: TaskKey,
    /// Who may compute it.
    pub execution: TaskExecution,
    /// The model's name, for messages.
    pub model: ModelName,
    /// The model's weights.
    pub weights: Sha256Hash,
}

/// What a worker receives of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskNotice {
    /// Its name.
    pub key: TaskKey,
    /// Address of the server that owns it, such as `http://192.0.2.7:8000`.
    pub owner: String,
    /// The model's name.
    pub model: String,
    /// The model's weights.
    pub weights: Sha256Hash,
}

impl TaskNotice {
    /// That of a task of the server at `owner`.
    pub fn of(task: &QueuedTask, owner: &str) -> TaskNotice {
        let (model, owner) = (task.model.to_string(), owner.to_owned());
        TaskNotice { key: task.key, owner, model, weights: task.weights }
    }

    /// The bytes of a message.
    pub fn to_bytes(&self) -> Vec<u8> {
        let notice = wire::TaskNotice {
            key: Some(self.key.into()),
            owner: self.owner.clone(),
            model: self.model.clone(),
            weights: self.weights.0.to_vec().into(),
        };
        notice.encode_to_vec()
    }

    /// Reads a message; `None` if it is of another kind.
    pub fn from_bytes(bytes: &[u8]) -> Option<TaskNotice> {
        let notice = wire::TaskNotice::decode(bytes).ok()?;
        let weights = Sha256Hash(notice.weights.as_ref().try_into().ok()?);
        let key = notice.key?.into();
        Some(TaskNotice { key, owner: notice.owner, model: notice.model, weights })
    }
}
