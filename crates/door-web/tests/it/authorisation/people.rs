//! Who asks: people of three apps, and everything they may show for a token.

use std::collections::BTreeMap;

use domain::{Actor, AppSettings, UserId};
use engine::{Login, Register, SignedIn};

use crate::world::{PASSWORD, Setting, World, app};

/// Ids of users, of rooms, and whatever else must not come out begin so; nothing that a refusal says does.
pub const USER_MARK: &str = "u7-";
pub const ROOM_MARK: &str = "r7-";
pub const CANARY: &str = "c7-";

/// The app that all is about.
pub const HOME: &str = "default";
/// The other apps, by the role of their user.
pub const ELSEWHERE: [&str; 2] = ["other", "twin"];
/// An app that takes no registrations.
pub const CLOSED: &str = "closed";
/// Everybody in the home app.
const PEOPLE: [&str; 17] = [
    "stranger",
    "administrator",
    "invited",
    "declined",
    "left",
    "removed",
    "reader",
    "member",
    "moderator",
    "admin",
    "owner",
    "peer",
    "disabled",
    // Those who never ask, but things are done to them, or said by them.
    "bystander",
    "deputy",
    "guest",
    "newcomer",
];
/// Longer than an access token is good, in milliseconds.
const PAST_MS: i64 = 60 * 60 * 1000;

/// A server with everybody on it.
pub struct People {
    pub world: World,
    sessions: BTreeMap<String, SignedIn>,
    expired: String,
    revoked: SignedIn,
}

/// The id of a role's user.
pub fn user_of(role: &str) -> String {
    match role {
        "none" | "garbled" => String::new(),
        "other" | "twin" | "forged" | "refresh" | "expired" | "revoked" => format!("{USER_MARK}owner"),
        role => format!("{USER_MARK}{role}"),
    }
}

/// The app of a role's user.
pub fn app_of(role: &str) -> &str {
    if ELSEWHERE.contains(&role) { role } else { HOME }
}

impl People {
    pub async fn new() -> Self {
        let mut setting = Setting::default();
        setting.engine.password_hashes_waiting_max = 1000;
        let world = World::new(setting).await;
        for id in ELSEWHERE {
            world.engine.operator().create_app(app(id), AppSettings::open(id)).await.expect("a new app");
        }
        let closed = AppSettings { registration_open: false, ..AppSettings::open("closed") };
        world.engine.operator().create_app(app(CLOSED), closed).await.expect("a new app");

        let mut sessions = BTreeMap::new();
        for role in PEOPLE.into_iter().chain(ELSEWHERE) {
            let (app, id) = (Some(app_of(role).to_owned()), user_of(role));
            let register = Register { app, id, password: PASSWORD.to_owned(), ..Register::default() };
            sessions.insert(role.to_owned(), world.engine.register(register).await.expect("a new user"));
        }
        for role in ["administrator", "other"] {
            let (app, user) = (app(app_of(role)), user_id(&user_of(role)));
            world.engine.operator().set_admin(&app, &user, true).await.expect("the user is there");
        }
        world.clock.set_ahead(-PAST_MS);
        let expired = login(&world, "owner", "old").await.access_token;
        world.clock.set_ahead(0);
        let revoked = login(&world, "owner", "lost").await;
        world.engine.logout(&actor(&revoked)).await.expect("the device is there");
        login(&world, "owner", &format!("{CANARY}device")).await;
        let people = Self { world, sessions, expired, revoked };
        people.set_disabled(true).await;
        people
    }

    /// Closes or opens the account of `disabled`. Its first device, and so its token, has ended for good.
    pub async fn set_disabled(&self, disabled: bool) {
        let user = user_id(&user_of("disabled"));
        self.world.engine.operator().set_disabled(&app(HOME), &user, disabled).await.expect("the user is there");
    }

    /// Whether the app's users can be searched.
    pub async fn set_directory_open(&self, directory_open: bool) {
        let settings = AppSettings { directory_open, ..AppSettings::open("Default") };
        self.world.engine.operator().update_app(&app(HOME), settings).await.expect("the app is there");
    }

    pub fn session(&self, role: &str) -> &SignedIn {
        &self.sessions[role]
    }

    /// The device that was signed out; its refresh token is as good as its access token.
    pub fn revoked(&self) -> &SignedIn {
        &self.revoked
    }

    pub fn actor(&self, role: &str) -> Actor {
        actor(self.session(role))
    }

    /// Another device of the role's user.
    pub async fn spare(&self, role: &str) -> SignedIn {
        login(&self.world, role, "spare").await
    }

    /// What the role shows as an access token.
    pub fn token(&self, role: &str) -> Option<String> {
        let good = |role: &str| self.session(role).access_token.clone();
        Some(match role {
            "none" => return None,
            "garbled" => "not.a.token".to_owned(),
            "forged" => {
                let (owner, stranger) = (good("owner"), good("stranger"));
                let (says, _) = owner.rsplit_once('.').expect("a token has a signature");
                let (_, signature) = stranger.rsplit_once('.').expect("a token has a signature");
                format!("{says}.{signature}")
            }
            "refresh" => self.session("owner").refresh_token.clone(),
            "expired" => self.expired.clone(),
            "revoked" => self.revoked.access_token.clone(),
            role => good(role),
        })
    }

    /// The last commit of each app.
    pub async fn heads(&self) -> BTreeMap<&'static str, u64> {
        let mut heads = BTreeMap::new();
        for id in [HOME, CLOSED].into_iter().chain(ELSEWHERE) {
            let head = storage::Store::head(&*self.world.store, &app(id)).await.expect("the store answers");
            heads.insert(id, head.0);
        }
        heads
    }
}

pub fn user_id(id: &str) -> UserId {
    UserId::new(id).expect("an id of a user")
}

fn actor(session: &SignedIn) -> Actor {
    Actor { app: session.app.clone(), user: session.user.id.clone(), device: session.device.id.clone() }
}

async fn login(world: &World, role: &str, device: &str) -> SignedIn {
    let (app, device_name) = (Some(app_of(role).to_owned()), Some(device.to_owned()));
    let login = Login { app, id: user_of(role), password: PASSWORD.to_owned(), device_name };
    world.engine.login(login).await.expect("the password is right")
}
