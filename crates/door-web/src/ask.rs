//! Commands as they are asked for: the same over REST, one by one, and over WebSocket, in order.

use domain::{Action, Actor, ClientId, Command};
use wire::Receipt;

use crate::convert::{from_wire, to_wire};
use crate::door::Door;
use crate::failure::Failure;

/// A command in a room that is there already.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) command: Command,
    pub(crate) client_id: Option<ClientId>,
}

impl Ask {
    pub(crate) fn new(room: &str, action: Action, client_id: Option<&str>) -> Result<Self, Failure> {
        let command = Command { room: from_wire::room_id(room)?, action };
        Ok(Self { command, client_id: from_wire::client_id(client_id)? })
    }

    /// Does it by itself.
    pub(crate) async fn execute(self, door: &Door, actor: &Actor) -> Result<Receipt, Failure> {
        let receipt = door.engine.execute(actor, self.command, self.client_id).await?;
        Ok(to_wire::receipt(&receipt))
    }
}
