//! What every target with a store begins with: ann and bob, their devices, a group and a direct room with some history.

use domain::{
    AccountChange, Action, Actor, AppId, Command, Content, Device, DeviceId, Level, RoomId, Seq, SettingsChange,
    Timestamp, User, UserId, UserKind,
};
use engine::Engine;
use storage::{Outcome, Store, Unit, Work};

/// Who there is, and whether an administrator.
pub(crate) const PEOPLE: &[(&str, bool)] = &[("ann", true), ("bob", false)];
/// The group that both are in.
pub(crate) const GROUP: &str = "flock";

/// A person of an app, with their device.
pub(crate) fn actor(app: &AppId, user: &str) -> Actor {
    Actor {
        app: app.clone(),
        user: UserId::new(user).expect("an id"),
        device: DeviceId::new(format!("d-{user}")).expect("an id"),
    }
}

/// Lets them live in an app that exists and is empty.
pub(crate) async fn prepare(engine: &Engine, store: &dyn Store, app: &AppId, now: Timestamp) {
    for (user, admin) in PEOPLE {
        let Actor { user: id, device, .. } = actor(app, user);
        let (kind, display_name) = (UserKind::Person, id.as_str().into());
        let user = User { id: id.clone(), kind, display_name, admin: *admin, disabled: false, created_at: now };
        let name = "fuzzer".into();
        let device = Device { id: device, user: id, name, created_at: now, last_seen_at: now, refresh_generation: 1 };
        let user = AccountChange::CreateUser { user, password: None };
        let device = AccountChange::CreateDevice { device, verified: None };
        let unit = Unit { app: app.clone(), at: now, work: Work::Account(vec![user, device]) };
        let outcome = store.commit(unit).await;
        assert!(matches!(outcome, Ok(Outcome::Done(_))), "{outcome:?}");
    }
    let (ann, bob) = (actor(app, "ann"), actor(app, "bob"));
    let settings = SettingsChange { name: Some("Flock".into()), ..SettingsChange::default() };
    act(engine, &ann, GROUP, Action::Create { settings, invite: [bob.user.clone()].into() }).await;
    act(engine, &bob, GROUP, Action::Join).await;
    let text = |text: &str| Action::Send { content: Content::plain(text), reply_to: None };
    let first = act(engine, &ann, GROUP, text("hi")).await;
    let second = act(engine, &bob, GROUP, text("小明 👍")).await;
    let third = act(engine, &ann, GROUP, text("to be deleted")).await;
    act(engine, &ann, GROUP, Action::Edit { target: first, content: Content::plain("hello") }).await;
    act(engine, &bob, GROUP, Action::React { target: first, keys: ["👍".into()].into() }).await;
    act(engine, &ann, GROUP, Action::Redact { target: third, reason: None }).await;
    act(engine, &ann, GROUP, Action::SetLevel { user: bob.user.clone(), level: Level::MODERATOR }).await;
    act(engine, &bob, GROUP, Action::Cursors { delivered: Some(third), read: Some(second) }).await;
    let direct = Action::Direct { user: bob.user.clone() };
    act(engine, &ann, "direct", direct).await;
    act(engine, &bob, "direct", text("just us")).await;
}

async fn act(engine: &Engine, actor: &Actor, room: &str, action: Action) -> Seq {
    let command = Command { room: RoomId::new(room).expect("an id"), action };
    let receipt = engine.execute(actor, command, None).await;
    receipt.expect("what is prepared is allowed").seq
}
