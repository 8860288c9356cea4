//! Packed lists: the rooms of a commit in the journal, the client ids of a device's window.
//!
//! Numbers are LEB128 varints. Both lists stand in rows that are written once per commit or less, and are read whole.

use domain::{ClientId, CommitNumber, Seq, SeqRange};

use crate::error::Fault;
use crate::key::{DeviceKey, RoomKey};
use crate::window::Answer;

pub(crate) const DAMAGED: Fault = Fault::Damaged("a packed list is cut off or malformed");

/// New events of a commit in one room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RoomRange {
    pub(crate) room: RoomKey,
    pub(crate) range: SeqRange,
}

pub(crate) fn pack_ranges(ranges: &[RoomRange]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(ranges.len() * 6);
    for RoomRange { room, range } in ranges {
        put(&mut bytes, u64::from(room.0));
        put(&mut bytes, range.first.0);
        put(&mut bytes, range.last.0 - range.first.0);
    }
    bytes
}

pub(crate) fn unpack_ranges(bytes: &[u8]) -> Result<Vec<RoomRange>, Fault> {
    let mut ranges = Vec::new();
    each_range(bytes, |range| ranges.push(range))?;
    Ok(ranges)
}

/// Looks at what [`unpack_ranges`] would give.
pub(crate) fn each_range(mut bytes: &[u8], mut see: impl FnMut(RoomRange)) -> Result<(), Fault> {
    while !bytes.is_empty() {
        let room = room(&mut bytes)?;
        let first = take(&mut bytes)?;
        let last = first.checked_add(take(&mut bytes)?).ok_or(DAMAGED)?;
        see(RoomRange { room, range: SeqRange { first: Seq(first), last: Seq(last) } });
    }
    Ok(())
}

pub(crate) fn pack_rooms(rooms: impl IntoIterator<Item = RoomKey>) -> Vec<u8> {
    let mut bytes = Vec::new();
    rooms.into_iter().for_each(|room| put(&mut bytes, u64::from(room.0)));
    bytes
}

pub(crate) fn unpack_rooms(bytes: &[u8]) -> Result<Vec<RoomKey>, Fault> {
    let mut rooms = Vec::new();
    each_room(bytes, |room| rooms.push(room))?;
    Ok(rooms)
}

/// Looks at what [`unpack_rooms`] would give.
pub(crate) fn each_room(mut bytes: &[u8], mut see: impl FnMut(RoomKey)) -> Result<(), Fault> {
    while !bytes.is_empty() {
        see(room(&mut bytes)?);
    }
    Ok(())
}

pub(crate) fn pack_answers<'a>(answers: impl IntoIterator<Item = &'a Answer>) -> Vec<u8> {
    let mut bytes = Vec::new();
    answers.into_iter().for_each(|answer| put_answer(&mut bytes, answer));
    bytes
}

pub(crate) fn unpack_answers(mut bytes: &[u8]) -> Result<Vec<Answer>, Fault> {
    let mut answers = Vec::new();
    while !bytes.is_empty() {
        answers.push(take_answer(&mut bytes)?);
    }
    Ok(answers)
}

pub(crate) fn pack_answers_of_devices(answers: &[(DeviceKey, Answer)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (device, answer) in answers {
        put(&mut bytes, u64::from(device.0));
        put_answer(&mut bytes, answer);
    }
    bytes
}

pub(crate) fn unpack_answers_of_devices(mut bytes: &[u8]) -> Result<Vec<(DeviceKey, Answer)>, Fault> {
    let mut answers = Vec::new();
    while !bytes.is_empty() {
        let device = DeviceKey(key(&mut bytes)?);
        answers.push((device, take_answer(&mut bytes)?));
    }
    Ok(answers)
}

fn put_answer(bytes: &mut Vec<u8>, answer: &Answer) {
    let Answer { client_id, fingerprint, room, seq, commit } = answer;
    put_text(bytes, client_id.as_str());
    bytes.extend_from_slice(&fingerprint.to_le_bytes());
    put(bytes, u64::from(room.0));
    put(bytes, seq.0);
    put(bytes, commit.0);
}

fn take_answer(bytes: &mut &[u8]) -> Result<Answer, Fault> {
    Ok(Answer {
        client_id: ClientId::new(take_text(bytes)?).map_err(|_| DAMAGED)?,
        fingerprint: take_fingerprint(bytes)?,
        room: room(bytes)?,
        seq: Seq(take(bytes)?),
        commit: CommitNumber(take(bytes)?),
    })
}

pub(crate) fn take_fingerprint(bytes: &mut &[u8]) -> Result<u64, Fault> {
    let (fingerprint, rest) = bytes.split_first_chunk::<8>().ok_or(DAMAGED)?;
    *bytes = rest;
    Ok(u64::from_le_bytes(*fingerprint))
}

pub(crate) fn put_text(bytes: &mut Vec<u8>, text: &str) {
    put(bytes, text.len() as u64);
    bytes.extend_from_slice(text.as_bytes());
}

pub(crate) fn take_text<'a>(bytes: &mut &'a [u8]) -> Result<&'a str, Fault> {
    let length = usize::try_from(take(bytes)?).map_err(|_| DAMAGED)?;
    let (text, rest) = bytes.split_at_checked(length).ok_or(DAMAGED)?;
    *bytes = rest;
    std::str::from_utf8(text).map_err(|_| DAMAGED)
}

pub(crate) fn key(bytes: &mut &[u8]) -> Result<u32, Fault> {
    u32::try_from(take(bytes)?).map_err(|_| DAMAGED)
}

pub(crate) fn room(bytes: &mut &[u8]) -> Result<RoomKey, Fault> {
    key(bytes).map(RoomKey)
}

pub(crate) fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push((number as u8) | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

pub(crate) fn take(bytes: &mut &[u8]) -> Result<u64, Fault> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first().ok_or(DAMAGED)?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(DAMAGED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_come_back_as_they_were_packed() {
        let range = |room: u32, first: u64, last: u64| RoomRange {
            room: RoomKey(room),
            range: SeqRange { first: Seq(first), last: Seq(last) },
        };
        let ranges = vec![range(1, 1, 1), range(300, 5, 1000), range(i32::MAX as u32, 1, u64::from(u32::MAX))];
        assert_eq!(unpack_ranges(&pack_ranges(&ranges)).unwrap(), ranges);
        let rooms = vec![RoomKey(1), RoomKey(70_000)];
        assert_eq!(unpack_rooms(&pack_rooms(rooms.clone())).unwrap(), rooms);
        let answer = |n: u64| Answer {
            client_id: ClientId::new(format!("client-{n}")).unwrap(),
            fingerprint: u64::MAX - n,
            room: RoomKey(9),
            seq: Seq(n),
            commit: CommitNumber(n << 30),
        };
        let answers = vec![answer(1), answer(200), answer(40_000)];
        let bytes = pack_answers(&answers);
        assert_eq!(unpack_answers(&bytes).unwrap(), answers);
        let of_devices: Vec<_> = answers.into_iter().map(|answer| (DeviceKey(300), answer)).collect();
        assert_eq!(unpack_answers_of_devices(&pack_answers_of_devices(&of_devices)).unwrap(), of_devices);
        for cut in [1, 5, bytes.len() - 1] {
            assert!(unpack_answers(&bytes[..cut]).is_err(), "{cut}");
        }
        assert!(unpack_rooms(&[0xff; 12]).is_err());
    }
}
