//! The packed lists in the store's rows. The first byte says which one.

use storage_sqlite::{OpenError, PackedList};

pub(crate) fn run(bytes: &[u8]) {
    let Some((&which, list)) = bytes.split_first() else { return };
    let kind = PackedList::ALL[usize::from(which) % PackedList::ALL.len()];
    match kind.repack(list) {
        Ok(packed) => {
            // Numbers may have been written longer than need be, never shorter.
            assert!(packed.len() <= list.len());
            assert_eq!(kind.repack(&packed).expect("what was packed can be read"), packed);
        }
        Err(OpenError::Damaged(_)) => {}
        Err(error) => panic!("a list that can't be read is damaged, not {error}"),
    }
}
