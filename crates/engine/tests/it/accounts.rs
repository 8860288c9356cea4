//! Accounts: tokens that rotate, devices that end, the first administrator.

use domain::UserId;
use engine::{Devices, EndReason, EngineError, Flow, Login, Me, PasswordChange, Register, SearchUsers};
use testkit::{PASSWORD, World};

fn login(id: &str, password: &str) -> Login {
    Login { id: id.into(), password: password.into(), ..Login::default() }
}

#[tokio::test]
async fn a_device_signs_in_and_is_revoked_with_its_open_sessions() {
    let world = World::new().await;
    let ann = world.person("ann").await;
    assert!(matches!(world.engine.login(login("ann", "wrong password")).await, Err(EngineError::WrongCredentials)));
    assert!(matches!(world.engine.login(login("nobody", PASSWORD)).await, Err(EngineError::WrongCredentials)));
    let phone = world.engine.login(login("ann", PASSWORD)).await.unwrap();
    let mut session = world.of(&phone).listen().await;
    assert_eq!(world.engine.query(&ann.actor, Devices).await.unwrap().len(), 2);
    assert!(world.engine.authenticate(&phone.access_token).await.is_ok());

    world.engine.revoke_device(&ann.actor, &phone.device.id).await.unwrap();
    assert_eq!(session.end().await, Flow::End(EndReason::Revoked));
    assert!(matches!(world.engine.authenticate(&phone.access_token).await, Err(EngineError::TokenRevoked)));
    assert!(matches!(world.engine.refresh(&phone.refresh_token).await, Err(EngineError::TokenRevoked)));
    assert!(world.engine.subscribe(&world.of(&phone).actor).await.is_err());
    assert!(world.engine.query(&ann.actor, Me).await.is_ok());

    let bob = world.person("bob").await;
    let other = world.engine.revoke_device(&bob.actor, &ann.actor.device).await;
    assert!(matches!(other, Err(EngineError::UnknownDevice)));
}

#[tokio::test]
async fn refresh_tokens_rotate_and_reuse_ends_the_device() {
    let world = World::new().await;
    world.person("ann").await;
    let first = world.engine.login(login("ann", PASSWORD)).await.unwrap();
    let second = world.engine.refresh(&first.refresh_token).await.unwrap();
    // The answer may have got lost: the one before is good for a while, and gives the same one again.
    let lost = world.engine.refresh(&first.refresh_token).await.unwrap();
    assert_eq!(lost.refresh_token, second.refresh_token);
    let third = world.engine.refresh(&second.refresh_token).await.unwrap();
    // However long it takes, as long as nobody has used what came with the present one.
    world.clock.advance_ms(60_000);
    assert_eq!(world.engine.refresh(&second.refresh_token).await.unwrap().refresh_token, third.refresh_token);
    world.engine.authenticate(&third.access_token).await.unwrap();
    assert!(matches!(world.engine.refresh(&second.refresh_token).await, Err(EngineError::RefreshReused)));
    assert!(matches!(world.engine.refresh(&third.refresh_token).await, Err(EngineError::TokenRevoked)));
    assert!(matches!(world.engine.authenticate(&third.access_token).await, Err(EngineError::TokenRevoked)));
    assert!(matches!(world.engine.refresh("sr_a.b").await, Err(EngineError::Unauthenticated)));
}

#[tokio::test]
async fn access_tokens_end() {
    let world = World::new().await;
    world.person("ann").await;
    let signed_in = world.engine.login(login("ann", PASSWORD)).await.unwrap();
    world.clock.advance_ms(16 * 60 * 1000);
    assert!(matches!(world.engine.authenticate(&signed_in.access_token).await, Err(EngineError::TokenExpired)));
    assert!(world.engine.refresh(&signed_in.refresh_token).await.is_ok());
}

#[tokio::test]
async fn a_new_password_ends_the_other_devices() {
    let world = World::new().await;
    let ann = world.person("ann").await;
    let phone = world.engine.login(login("ann", PASSWORD)).await.unwrap();
    let change = |current: &str| PasswordChange {
        current: current.into(),
        new: "another password".into(),
        revoke_other_devices: true,
    };
    let wrong = world.engine.change_password(&ann.actor, change("not it at all")).await;
    assert!(matches!(wrong, Err(EngineError::WrongCredentials)));
    world.engine.change_password(&ann.actor, change(PASSWORD)).await.unwrap();
    assert!(world.engine.authenticate(&phone.access_token).await.is_err());
    assert!(world.engine.query(&ann.actor, Me).await.is_ok());
    assert!(matches!(world.engine.login(login("ann", PASSWORD)).await, Err(EngineError::WrongCredentials)));
    assert!(world.engine.login(login("ann", "another password")).await.is_ok());
}

#[tokio::test]
async fn guessing_passwords_is_slowed_down() {
    let world = World::with(|options| options.password_attempts_per_minute = 3).await;
    world.person("ann").await;
    for _ in 0..3 {
        assert!(matches!(world.engine.login(login("ann", "wrong password")).await, Err(EngineError::WrongCredentials)));
    }
    assert!(matches!(world.engine.login(login("ann", PASSWORD)).await, Err(EngineError::RateLimited { .. })));
}

#[tokio::test]
async fn the_setup_token_makes_one_administrator() {
    let world = World::new().await;
    let token = world.engine.setup_token().unwrap();
    let register = |id: &str, token: &str| Register {
        id: id.into(),
        password: PASSWORD.into(),
        setup_token: Some(token.into()),
        ..Register::default()
    };
    let wrong = world.engine.register(register("eve", "guess")).await;
    assert!(matches!(wrong, Err(EngineError::SetupTokenInvalid)));
    assert!(!world.engine.query(&world.person("bob").await.actor, Me).await.unwrap().user.admin);
    assert!(world.engine.register(register("ann", &token)).await.unwrap().user.admin);
    assert_eq!(world.engine.setup_token(), None);
    assert!(matches!(world.engine.register(register("eve", &token)).await, Err(EngineError::SetupTokenInvalid)));
    let again = World::over(world.store.clone(), world.clock.clone(), |_| {}).await;
    assert_eq!(again.engine.setup_token(), None);
}

#[tokio::test]
async fn bad_fields_are_named_and_taken_ids_are_refused() {
    let world = World::new().await;
    world.person("ann").await;
    let check = async |id: &str, password: &str, name: Option<&str>, expect: &str| {
        let register = Register {
            id: id.into(),
            password: password.into(),
            display_name: name.map(Into::into),
            ..Register::default()
        };
        match world.engine.register(register).await {
            Err(EngineError::Invalid { field, .. }) => assert_eq!(field, expect),
            Err(EngineError::UserExists) => assert_eq!("taken", expect),
            other => panic!("{id}: {other:?}"),
        }
    };
    check("ANN", PASSWORD, None, "id").await;
    check("", PASSWORD, None, "id").await;
    check("bob", "short", None, "password").await;
    check("bob", &"x".repeat(257), None, "password").await;
    check("bob", PASSWORD, Some("\u{7}"), "display_name").await;
    check("ann", PASSWORD, None, "taken").await;
}

#[tokio::test]
async fn the_operator_closes_accounts_and_directories() {
    let world = World::new().await;
    let (ann, bob) = (world.person("ann").await, world.person("bob").await);
    let operator = world.engine.operator();
    let search = || world.engine.query(&bob.actor, SearchUsers { query: "an".into(), after: None, limit: 10 });
    assert_eq!(search().await.unwrap().items[0].id, UserId::new("ann").unwrap());
    let phone = world.engine.login(login("ann", PASSWORD)).await.unwrap();
    let mut session = world.of(&phone).listen().await;
    assert!(world.engine.authenticate(&phone.access_token).await.is_ok());
    operator.set_disabled(&ann.actor.app, &ann.actor.user, true).await.unwrap();
    assert!(matches!(world.engine.authenticate(&phone.access_token).await, Err(EngineError::TokenRevoked)));
    assert_eq!(session.end().await, Flow::End(EndReason::Revoked));
    assert_eq!(search().await.unwrap().items.len(), 0);
    assert!(matches!(world.engine.login(login("ann", PASSWORD)).await, Err(EngineError::UserDisabled)));
    assert!(world.engine.subscribe(&ann.actor).await.is_err());

    let mut settings = operator.apps().await.unwrap().remove(0).settings;
    (settings.directory_open, settings.registration_open) = (false, false);
    operator.update_app(&bob.actor.app, settings).await.unwrap();
    assert!(matches!(search().await, Err(EngineError::DirectoryClosed)));
    let register = Register { id: "new".into(), password: PASSWORD.into(), ..Register::default() };
    assert!(matches!(world.engine.register(register).await, Err(EngineError::RegistrationClosed)));
}

#[tokio::test]
async fn nobody_stays_signed_in_by_a_password_that_the_operator_replaced() {
    let world = World::new().await;
    for n in 0..8 {
        let ann = world.person(&format!("ann{n}")).await;
        let (app, id) = (&ann.actor.app, &ann.actor.user);
        let mut session = ann.listen().await;
        // A login at the same time is either ended or refused, whoever comes first.
        let operator = world.engine.operator();
        let (set, late) = tokio::join!(
            operator.set_password(app, id, "another password".into()),
            world.engine.login(login(id.as_str(), PASSWORD)),
        );
        set.unwrap();
        match late {
            Ok(late) => assert!(world.engine.authenticate(&late.access_token).await.is_err()),
            Err(error) => assert!(matches!(error, EngineError::WrongCredentials), "{error}"),
        }
        assert_eq!(session.end().await, Flow::End(EndReason::Revoked));
        assert_eq!(world.store.devices(app, id).await.unwrap(), []);
        assert!(world.engine.login(login(id.as_str(), "another password")).await.is_ok());
    }
}

#[tokio::test]
async fn the_epoch_is_the_stores() {
    let world = World::new().await;
    assert_eq!(world.engine.epoch(), world.store.epoch().await.unwrap());
    assert_ne!(world.engine.epoch(), World::new().await.engine.epoch());
}
