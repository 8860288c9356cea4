//! For fuzzing: reads a packed list as the store does, and packs it anew.

use crate::error::{Fault, OpenError};
use crate::packed::{
    pack_answers, pack_answers_of_devices, pack_ranges, pack_rooms, unpack_answers, unpack_answers_of_devices,
    unpack_ranges, unpack_rooms,
};
use crate::redo;

/// The packed lists in the columns of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PackedList {
    /// Events of a commit: `journal.rooms`.
    Ranges,
    /// Rooms where only cursors moved: `journal.touched`.
    Rooms,
    /// Client ids of a device with their answers: `device_window.entries`.
    Answers,
    /// The same of several devices: `journal.answers`.
    AnswersOfDevices,
    /// What a group has brought: `redo.records`.
    Redo,
}

impl PackedList {
    /// All of them.
    pub const ALL: [PackedList; 5] = [Self::Ranges, Self::Rooms, Self::Answers, Self::AnswersOfDevices, Self::Redo];

    /// Reads a list and packs what was read; [`OpenError::Damaged`] if it can't be read.
    pub fn repack(self, bytes: &[u8]) -> Result<Vec<u8>, OpenError> {
        let packed: Result<Vec<u8>, Fault> = match self {
            Self::Ranges => unpack_ranges(bytes).map(|list| pack_ranges(&list)),
            Self::Rooms => unpack_rooms(bytes).map(pack_rooms),
            Self::Answers => unpack_answers(bytes).map(|list| pack_answers(&list)),
            Self::Redo => redo::repack(bytes),
            Self::AnswersOfDevices => unpack_answers_of_devices(bytes).map(|list| pack_answers_of_devices(&list)),
        };
        packed.map_err(OpenError::from)
    }
}
