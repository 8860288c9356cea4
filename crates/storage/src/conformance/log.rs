//! The log: events as written, and what has become of them.

use std::collections::BTreeSet;
use std::sync::Arc;

use domain::{
    Action, Content, Entry, Event, EventBody, Level, MemberState, ReactionCount, RoomKind, Seq, SeqRange, Target,
    TextContent, TextFormat,
};

use super::world::{World, done, keys, open_settings, range, room, say, user};
use crate::{Store, Work};

/// Every kind of event comes back as it went in, with its numbers.
pub async fn events_carry_what_was_written(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    world.group("red", &["ann"]).await;
    world.act("ann", "red", Action::Invite { user: user("bob") }).await;
    let rich = Content::Text(TextContent {
        text: "你好 **Bob** 🐦\n\u{0}'\"\\".into(),
        format: TextFormat::Markdown,
        mentions: vec![user("bob"), user("ann")],
        data: Some(r#"{"order":42, "b" : [1.50]}"#.into()),
    });
    let send = Action::Send { content: rich.clone(), reply_to: None };
    let changes = world.check("ann", "red", send).await.unwrap();
    let message = done(world.commit(Work::Room(world.work_as("m:1", 1, world.work("ann", "red", changes)))).await);
    let reply = Action::Send { content: Content::plain("re"), reply_to: Some(message.seq) };
    let reply = world.act("ann", "red", reply).await;
    world.act("ann", "red", Action::Redact { target: reply.seq, reason: Some("原因".into()) }).await;
    let react = Action::React { target: message.seq, keys: keys(&["🐦", "+1"]) };
    world.act("ann", "red", react).await;

    let entries = world.entries("red", "ann").await;
    let member = |id: &str, state, level| EventBody::Member { user: user(id), state, level };
    let bodies = [
        (0, EventBody::Created { kind: RoomKind::Group, settings: open_settings() }),
        (0, member("ann", MemberState::Joined, Level::OWNER)),
        (0, member("bob", MemberState::Invited, Level::MEMBER)),
        (1, EventBody::message(rich, None)),
        (2, EventBody::Message { content: None, reply_to: Some(Seq(4)), redacted_by: Some(Seq(6)) }),
        (2, EventBody::Redaction { target: Seq(5), reason: Some("原因".into()) }),
        (2, EventBody::Reaction { target: Seq(4), keys: keys(&["🐦", "+1"]), previous: BTreeSet::new() }),
    ];
    assert_eq!(entries.len(), bodies.len());
    for (entry, (seq, (number, body))) in entries.iter().zip((1..).zip(bodies)) {
        let Event { room: at_room, seq: at_seq, sender, client_id, number: at_number, body: at_body, .. } =
            &entry.event;
        assert_eq!((at_room, *at_seq, sender, *at_number), (&room("red"), Seq(seq), &user("ann"), number));
        assert_eq!(*at_body, body, "{seq}");
        assert_eq!(client_id.as_ref().map(|id| id.as_str()), (seq == 4).then_some("m:1"));
    }
    assert!(entries.is_sorted_by_key(|entry| (entry.event.commit, entry.event.at)));
    assert_eq!(entries[3].event.commit, message.commit);
    assert!(entries[0].event.at == entries[1].event.at && entries[1].event.at < entries[2].event.at);
    assert_eq!(world.room("red").await.room.created_at, entries[0].event.at);
}

/// Ranges are read in the order given, and none is begun once enough bytes are read.
pub async fn entries_are_bounded_in_bytes(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    world.group("red", &["ann"]).await;
    let long = "x".repeat(domain::TEXT_BYTES_MAX);
    for _ in 3..=100 {
        world.act("ann", "red", say(&long)).await;
    }
    let seqs = async |ranges: &[SeqRange]| {
        let (entries, _) = world.store.entries(&world.app, &room("red"), ranges, None).await.unwrap();
        entries.iter().map(|entry| entry.event.seq.0).collect::<Vec<_>>()
    };
    let per_range = 16;
    let backward: Vec<_> = (1..=6).rev().map(|n| range((n - 1) * per_range + 1, n * per_range)).collect();
    let whole = crate::READ_BYTES_MAX / domain::TEXT_BYTES_MAX / per_range as usize;
    let expect: Vec<u64> = backward[..whole].iter().flat_map(|range| range.first.0..=range.last.0).collect();
    assert_eq!(seqs(&backward).await, expect);
    assert_eq!(seqs(&[range(3, 100)]).await.len(), 98);
}

/// Ranges are cut to the log; a viewer is optional; an unknown room is empty.
pub async fn entries_are_cut_from_ranges(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    world.group("red", &["ann"]).await;
    for n in 3..=20 {
        world.act("ann", "red", say(&n.to_string())).await;
    }
    world.group("redder", &["ann"]).await;
    let check = async |name: &str, ranges: &[SeqRange], expect: &[u64], head: u64| {
        let (entries, at) = world.store.entries(&world.app, &room(name), ranges, None).await.unwrap();
        let seqs: Vec<_> = entries.iter().map(|entry| entry.event.seq.0).collect();
        assert_eq!((seqs.as_slice(), at.0), (expect, head), "{ranges:?}");
        assert!(entries.iter().all(|entry| entry.event.room == room(name)));
    };
    check("red", &[range(1, 3)], &[1, 2, 3], 20).await;
    check("red", &[range(7, 7)], &[7], 20).await;
    check("red", &[range(2, 3), range(6, 7), range(20, 20)], &[2, 3, 6, 7, 20], 20).await;
    check("red", &[range(19, 500)], &[19, 20], 20).await;
    check("red", &[range(19, u64::MAX)], &[19, 20], 20).await;
    check("red", &[range(21, 30)], &[], 20).await;
    check("red", &[], &[], 20).await;
    check("redder", &[range(1, 99)], &[1, 2], 2).await;
    check("nowhere", &[range(1, 9)], &[], 0).await;
}

/// A message shows its last edit; the edits stay in the log.
pub async fn edits_show_their_last(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    world.group("red", &["ann"]).await;
    let message = world.act("ann", "red", say("one")).await.seq;
    let other = world.act("ann", "red", say("other")).await.seq;
    assert_eq!(world.entry("red", message, "ann").await.edit, None);
    for text in ["two", "three"] {
        let edit = world.act("ann", "red", Action::Edit { target: message, content: Content::plain(text) }).await;
        let entry = world.entry("red", message, "ann").await;
        let shown = entry.edit.clone().unwrap();
        let edit = world.entry("red", edit.seq, "ann").await;
        assert_eq!((shown.seq, shown.at, shown.content), (edit.event.seq, edit.event.at, Content::plain(text)));
        assert_eq!(entry.content(), Some(&Content::plain(text)));
        assert_eq!(entry.event.body, EventBody::message(Content::plain("one"), None), "the event stays");
        assert_eq!(edit, Entry::fresh(edit.event.clone()));
        assert_eq!(edit.event.body, EventBody::Edit { target: message, content: Some(Content::plain(text)) });
        assert_eq!(edit.event.number, 2, "an edit is no message");
    }
    assert_eq!(world.entry("red", other, "ann").await.edit, None);
}

/// Each user has one set on each message; entries count them, most used first, and tell the viewer which are theirs.
pub async fn reactions_are_counted_as_sets(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    world.group("red", &["ann", "bob", "cho"]).await;
    let target = world.act("ann", "red", say("one")).await.seq;
    let other = world.act("ann", "red", say("two")).await.seq;
    let shown = async |viewer: Option<&str>| {
        let viewer = viewer.map(user);
        let whole = [range(target.0, target.0)];
        let (entries, _) = world.store.entries(&world.app, &room("red"), &whole, viewer.as_ref()).await.unwrap();
        let row = |ReactionCount { key, count, mine }: ReactionCount| (key.to_string(), count, mine);
        entries.into_iter().next().unwrap().reactions.into_iter().map(row).collect::<Vec<_>>()
    };
    let react = |set: &[&str]| Action::React { target, keys: keys(set) };
    assert_eq!(shown(Some("ann")).await, []);
    world.act("ann", "red", react(&["👍", "a"])).await;
    world.act("bob", "red", react(&["👍", "b"])).await;
    world.act("cho", "red", react(&["b", "👍"])).await;
    world.act("cho", "red", Action::React { target: other, keys: keys(&["z"]) }).await;
    let row = |key: &str, count, mine| (key.to_owned(), count, mine);
    assert_eq!(shown(Some("ann")).await, [row("👍", 3, true), row("b", 2, false), row("a", 1, true)]);
    assert_eq!(shown(Some("dan")).await, [row("👍", 3, false), row("b", 2, false), row("a", 1, false)]);
    assert_eq!(shown(None).await, shown(Some("dan")).await);
    let target_of_bob = world.target("red", target, "bob").await.unwrap();
    assert_eq!((target_of_bob.my_keys, target_of_bob.kinds), (keys(&["👍", "b"]), keys(&["👍", "a", "b"])));

    world.act("bob", "red", react(&["a", "b"])).await;
    world.act("cho", "red", react(&[])).await;
    assert_eq!(shown(Some("cho")).await, [row("a", 2, false), row("b", 1, false), row("👍", 1, false)]);
    let last = world.entries("red", "ann").await.pop().unwrap();
    let body = EventBody::Reaction { target, keys: BTreeSet::new(), previous: keys(&["b", "👍"]) };
    assert_eq!(last.event.body, body);
    let mine = world.target("red", target, "cho").await.unwrap().my_keys;
    assert!(mine.is_empty());
}

/// Nothing of a redacted message's content is left, neither in it nor in its edits, and its reactions are gone.
pub async fn redaction_takes_everything_away(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    world.group("red", &["ann", "bob"]).await;
    let target = world.act("bob", "red", say("secret one")).await.seq;
    let kept = world.act("bob", "red", say("kept")).await.seq;
    for text in ["secret two", "secret three"] {
        world.act("bob", "red", Action::Edit { target, content: Content::plain(text) }).await;
    }
    world.act("bob", "red", Action::Edit { target: kept, content: Content::plain("kept on") }).await;
    for message in [target, kept] {
        world.act("ann", "red", Action::React { target: message, keys: keys(&["+1"]) }).await;
    }
    let version = world.room("red").await.room.version;
    let redaction = world.act("ann", "red", Action::Redact { target, reason: None }).await;

    let entries = world.entries("red", "ann").await;
    assert!(!format!("{entries:?}").contains("secret"), "{entries:?}");
    let entry = world.entry("red", target, "ann").await;
    let body = EventBody::Message { content: None, reply_to: None, redacted_by: Some(redaction.seq) };
    assert_eq!((&entry.event.body, &entry.edit, entry.reactions.len()), (&body, &None, 0));
    for entry in &entries {
        if let EventBody::Edit { target: of, content } = &entry.event.body {
            assert_eq!(content.is_none(), *of == target);
        }
    }
    let seqs: Vec<_> = entries.iter().map(|entry| entry.event.seq.0).collect();
    assert_eq!(seqs, (1..=redaction.seq.0).collect::<Vec<_>>(), "the seqs stay");
    let kept = world.entry("red", kept, "ann").await;
    assert_eq!((kept.content(), kept.reactions.len()), (Some(&Content::plain("kept on")), 1));
    let gone = Target {
        sender: user("bob"),
        is_message: true,
        redacted: true,
        my_keys: BTreeSet::new(),
        kinds: BTreeSet::new(),
    };
    assert_eq!(world.target("red", target, "ann").await, Some(gone));
    assert_eq!(world.room("red").await.room.version, version + 1);
    assert_eq!(world.room("red").await.head.messages, 2, "a deleted message still counts");
}

/// Targets of every kind, and of none.
pub async fn targets_tell_what_checks_need(store: Arc<dyn Store>) {
    let world = World::new(store).await;
    world.group("red", &["ann", "bob"]).await;
    let message = world.act("bob", "red", say("one")).await.seq;
    let edit = world.act("bob", "red", Action::Edit { target: message, content: Content::plain("two") }).await.seq;
    let plain = |sender: &str, is_message| Target {
        sender: user(sender),
        is_message,
        redacted: false,
        my_keys: BTreeSet::new(),
        kinds: BTreeSet::new(),
    };
    let expected = [
        (Seq(1), Some(plain("ann", false))),
        (Seq(3), Some(plain("bob", false))),
        (message, Some(plain("bob", true))),
        (edit, Some(plain("bob", false))),
        (edit.next(), None),
        (Seq(0), None),
        (Seq(u64::MAX), None),
    ];
    for (seq, expect) in expected {
        assert_eq!(world.target("red", seq, "ann").await, expect, "{seq}");
    }
    assert_eq!(world.target("nowhere", Seq(1), "ann").await, None);
}
