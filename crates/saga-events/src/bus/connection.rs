//! The connection for everything that does not block, shared by all who need it. It is made at the
//! first use, again when it breaks, and again when Redis does not answer on it: a connection that
//! is half-open swallows every command, and nobody tells.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use redis::aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig};
use redis::{Client, Cmd, Pipeline, RedisError, RedisFuture, Value};
use tokio::runtime::Handle;

/// Longer than Redis ever takes for a batch; what takes longer will not come.
const ANSWER: Duration = Duration::from_secs(5);

/// A shared connection. Cheap to clone.
#[derive(Clone)]
pub(super) struct Connection {
    client: Client,
    current: Arc<RwLock<Current>>,
    /// Where it was prepared, if in a runtime.
    home: Option<Handle>,
}

/// The `number`th connection that was needed.
#[derive(Clone)]
struct Current {
    number: u64,
    manager: ConnectionManager,
}

impl Connection {
    /// Prepares the connection; nothing is sent yet.
    pub(super) fn prepare(client: Client) -> Result<Self, RedisError> {
        let (number, manager) = (0, lazy(&client)?);
        let current = Arc::new(RwLock::new(Current { number, manager }));
        let home = Handle::try_current().ok();
        Ok(Self {
            client,
            current,
            home,
        })
    }

    /// A connection lives in the runtime in which it is made, and every answer passes through that
    /// one's thread. Whoever needs it first, it is made at home: the relay's is where the relay waits.
    async fn at_home<T>(&self, command: impl Future<Output = T>) -> T {
        let mut command = pin!(command);
        poll_fn(|context| {
            let _at_home = self.home.as_ref().map(Handle::enter);
            command.as_mut().poll(context)
        })
        .await
    }

    fn current(&self) -> Current {
        let current = self.current.read();
        current.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// After a time-out on this connection the next command is sent on a new one.
    fn look_at<T>(&self, used: &Current, answer: &Result<T, RedisError>) {
        if !answer.as_ref().is_err_and(RedisError::is_timeout) {
            return;
        }
        let Ok(manager) = lazy(&self.client) else {
            return;
        };
        let current = self.current.write();
        let mut current = current.unwrap_or_else(PoisonError::into_inner);
        // Many commands time out together: the first of them has replaced it for all.
        if current.number == used.number {
            let number = used.number + 1;
            *current = Current { number, manager };
        }
    }
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(async move {
            let mut used = self.current();
            let answer = used.manager.req_packed_command(command);
            let answer = self.at_home(answer).await;
            self.look_at(&used, &answer);
            answer
        })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        Box::pin(async move {
            let mut used = self.current();
            let manager = &mut used.manager;
            let answer = manager.req_packed_commands(pipeline, offset, count);
            let answer = self.at_home(answer).await;
            self.look_at(&used, &answer);
            answer
        })
    }

    fn get_db(&self) -> i64 {
        self.current().manager.get_db()
    }
}

fn lazy(client: &Client) -> Result<ConnectionManager, RedisError> {
    let settings = ConnectionManagerConfig::new()
        // A command that meets a broken connection waits for one attempt to mend it, then
        // fails: who asked decides whether to ask again.
        .set_number_of_retries(1)
        .set_max_delay(Duration::from_millis(500))
        .set_connection_timeout(Some(Duration::from_secs(2)))
        .set_response_timeout(Some(ANSWER))
        .set_pipeline_buffer_size(1024);
    client.get_connection_manager_lazy(settings)
}
