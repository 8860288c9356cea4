//! Two steps of the way of a message that `bench` counts the instructions of. Nothing else calls them.

use engine::Delivery;

use crate::convert::push;
use crate::socket;

/// Reads a frame as the WebSocket does; tells whether it is a command.
pub fn reads_command(frame: &str) -> bool {
    socket::reads_command(frame)
}

/// The length of the frame that a delivery is written as.
pub fn push_bytes(delivery: &Delivery) -> usize {
    push::frame(delivery).as_bytes().len()
}
