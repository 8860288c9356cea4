//! The people of the demo.

/// The password of every one of them. They exist only in data that `starling dev` made.
pub const PASSWORD: &str = "starling-demo";

/// A person of the demo.
#[derive(Debug)]
pub struct Person {
    pub id: &'static str,
    pub name: &'static str,
    pub admin: bool,
}

/// All of them; the first is the one to sign in as.
pub const PEOPLE: &[Person] = &[
    Person { id: "ada", name: "Ada", admin: true },
    Person { id: "lin", name: "Lin 林", admin: false },
    Person { id: "bob", name: "Bob", admin: false },
    Person { id: "mei", name: "Mei 梅", admin: false },
    Person { id: "tomas", name: "Tomás", admin: false },
    Person { id: "wei", name: "Wei 魏", admin: false },
];
