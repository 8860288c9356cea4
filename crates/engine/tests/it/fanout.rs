//! What sessions are told, in which order.

use domain::{Action, EventBody, MemberState, Seq};
use engine::{EngineOptions, Flow, Happening};
use testkit::World;

#[tokio::test]
async fn every_session_hears_every_message_once_and_in_order() {
    let world = World::new().await;
    let (ann, bob) = (world.person("ann").await, world.person("bob").await);
    let room = ann.group(&[&bob]).await;
    let mut listeners = vec![ann.listen().await, bob.listen().await, bob.listen().await];
    let sends = (0..200).map(|n| {
        let (ann, room) = (ann.clone(), room.clone());
        tokio::spawn(async move { ann.say(&room, &format!("m{n}")).await })
    });
    for send in Vec::from_iter(sends) {
        send.await.unwrap();
    }
    let end = ann.say(&room, "end").await;
    for listener in &mut listeners {
        let seqs: Vec<u64> = listener.messages_until("end").await.into_iter().map(|(seq, _)| seq).collect();
        assert_eq!(seqs, Vec::from_iter(end.0 - 200..=end.0));
    }
}

#[tokio::test]
async fn a_session_that_does_not_read_is_told_to_resync_and_others_are_not_disturbed() {
    let world = World::with(|options| options.outbox_deliveries_max = 8).await;
    let (ann, bob) = (world.person("ann").await, world.person("bob").await);
    let room = ann.direct(&bob).await;
    let (mut slow, mut quick) = (bob.listen().await, bob.listen().await);
    for n in 0..30 {
        ann.say(&room, &format!("m{n}")).await;
        quick.messages_until(&format!("m{n}")).await;
    }
    assert_eq!(slow.end().await, Flow::Resync);
    ann.say(&room, "after").await;
    assert_eq!(slow.messages_until("after").await.len(), 1);
}

#[tokio::test]
async fn who_is_invited_joins_and_is_removed_hears_just_that() {
    let world = World::new().await;
    let (ann, bob) = (world.person("ann").await, world.person("bob").await);
    let room = ann.group(&[]).await;
    let mut listener = bob.listen().await;
    ann.say(&room, "before").await;
    let user = bob.actor.user.clone();
    ann.act(&room, Action::Invite { user: user.clone() }).await.unwrap();
    ann.say(&room, "invited").await;
    bob.act(&room, Action::Join).await.unwrap();
    ann.say(&room, "joined").await;
    ann.act(&room, Action::Remove { user }).await.unwrap();
    ann.say(&room, "removed").await;
    let other = ann.direct(&bob).await;
    ann.say(&other, "end").await;

    let mut heard = Vec::new();
    loop {
        let Happening::Event(event) = listener.next().await else { continue };
        match &event.body {
            EventBody::Member { state, user, .. } if *user == bob.actor.user && event.room == room => {
                heard.push(format!("{state:?}"));
            }
            EventBody::Message { .. } if event.room == other => break,
            EventBody::Message { .. } => heard.push(format!("message {}", event.seq)),
            _ => {}
        }
    }
    assert_eq!(heard, ["Invited", "Joined", "message 7", "Left"]);
}

#[tokio::test]
async fn cursors_typing_and_presence_are_told() {
    let world = World::new().await;
    let (ann, bob) = (world.person("ann").await, world.person("bob").await);
    let eve = world.person("eve").await;
    let room = ann.direct(&bob).await;
    let mut listener = ann.listen().await;
    let watched = listener.session.watch_presence(vec![bob.actor.user.clone(), eve.actor.user.clone()]).await.unwrap();
    assert_eq!(watched.iter().map(|p| (p.user.as_str(), p.online)).collect::<Vec<_>>(), [("bob", false)]);

    let bobs = bob.listen().await;
    let online = |happening: &Happening| match happening {
        Happening::Presence(presence) => Some((presence.user.to_string(), presence.online)),
        _ => None,
    };
    assert_eq!(listener.wait_for(online).await, ("bob".to_owned(), true));
    world.engine.typing(&bob.actor, &room, true).await.unwrap();
    let typing = |happening: &Happening| match happening {
        Happening::Typing { user, typing, .. } => Some((user.to_string(), *typing)),
        _ => None,
    };
    assert_eq!(listener.wait_for(typing).await, ("bob".to_owned(), true));
    let seq = ann.say(&room, "read me").await;
    bob.act(&room, Action::Cursors { delivered: None, read: Some(seq) }).await.unwrap();
    let cursor = |happening: &Happening| match happening {
        Happening::Cursors { user, cursors, .. } if user.as_str() == "bob" => Some(cursors.read),
        _ => None,
    };
    assert_eq!(listener.wait_for(cursor).await, seq);
    drop(bobs);
    assert_eq!(listener.wait_for(online).await, ("bob".to_owned(), false));
}

#[tokio::test]
async fn draining_tells_everybody_when_to_come_back() {
    let world = World::new().await;
    let ann = world.person("ann").await;
    let mut listener = ann.listen().await;
    world.engine.drain(5000);
    let Flow::Drain { reconnect_after_ms } = listener.end().await else { panic!("a drain") };
    assert!(reconnect_after_ms <= 5000);
    assert!(world.engine.subscribe(&ann.actor).await.is_err());
    world.engine.stop().await;
}

#[tokio::test]
async fn nothing_falls_between_subscribing_and_syncing() {
    let world = World::new().await;
    let (ann, bob) = (world.person("ann").await, world.person("bob").await);
    let room = ann.group(&[&bob]).await;
    let writer = {
        let (ann, room) = (ann.clone(), room.clone());
        tokio::spawn(async move {
            for n in 0..300 {
                ann.say(&room, &format!("m{n}")).await;
            }
            ann.say(&room, "end").await
        })
    };
    // Each time somebody connects in the middle of it: what sync knows and what is told afterwards has no gap.
    for _ in 0..20 {
        let mut listener = bob.listen().await;
        let head = bob.sync(0).await.rooms[0].head;
        let told = listener.wait_for(|happening| match happening {
            Happening::Event(event) if event.seq > head => Some(event.seq),
            Happening::Event(event) if matches!(&event.body, EventBody::Member { state: MemberState::Left, .. }) => {
                None
            }
            _ => None,
        });
        if writer.is_finished() {
            break;
        }
        assert_eq!(told.await, Seq(head.0 + 1));
    }
    writer.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_hot_room_gathers_and_everybody_hears_all_in_order() {
    let hot = |options: &mut EngineOptions| {
        (options.hot_room_deliveries_per_second, options.hot_room_people_min) = (0, 0);
    };
    let world = World::with(hot).await;
    let (ann, bob) = (world.person("ann").await, world.person("bob").await);
    let eve = world.person("eve").await;
    let room = ann.group(&[&bob]).await;
    let mut listeners = vec![ann.listen().await, bob.listen().await];
    let begun = tokio::time::Instant::now();
    let mut last = Seq(0);
    for n in 0..40 {
        tokio::time::advance(std::time::Duration::from_millis(100)).await;
        last = ann.say(&room, &format!("m{n}")).await;
        if n == 30 {
            // Who comes in and who goes is told at once, after what was gathered before.
            ann.act(&room, Action::Invite { user: eve.actor.user.clone() }).await.unwrap();
        }
    }
    for listener in &mut listeners {
        let seqs: Vec<u64> = listener.messages_until("m39").await.into_iter().map(|(seq, _)| seq).collect();
        let all = (last.0 - 40..=last.0).filter(|seq| *seq != last.0 - 9);
        assert_eq!(seqs, Vec::from_iter(all));
    }
    assert!(begun.elapsed() >= std::time::Duration::from_millis(4000 + 50), "{:?}", begun.elapsed());
}
