//! Numbers that stand for apps, rooms and devices inside the database, and how the domain's values go in and out.

use std::error::Error;

use bytes::BytesMut;
use domain::Timestamp;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

macro_rules! key {
    ($(#[doc = $doc:literal])* $name:ident($inner:ty)) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) struct $name(pub(crate) $inner);

        impl ToSql for $name {
            fn to_sql(&self, r#type: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
                self.0.to_sql(r#type, out)
            }

            fn accepts(r#type: &Type) -> bool {
                <$inner as ToSql>::accepts(r#type)
            }

            to_sql_checked!();
        }

        impl<'a> FromSql<'a> for $name {
            fn from_sql(r#type: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
                <$inner as FromSql<'_>>::from_sql(r#type, raw).map(Self)
            }

            fn accepts(r#type: &Type) -> bool {
                <$inner as FromSql<'_>>::accepts(r#type)
            }
        }
    };
}

key! {
    /// An app.
    AppKey(i32)
}
key! {
    /// A room; in all apps.
    RoomKey(i64)
}
key! {
    /// A device; in all apps, never given out twice.
    DeviceKey(i64)
}

/// Milliseconds from 1970 to 2000, where the database begins to count.
const EPOCH_MS: i64 = 946_684_800_000;
/// The first and the last moment that the database knows, in milliseconds since 1970.
const MOMENTS_MS: (i64, i64) = (-210_866_803_200_000, 9_224_318_015_999_999);

/// A timestamp as `timestamptz`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(pub(crate) Timestamp);

impl ToSql for Moment {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        let milliseconds = self.0.0.clamp(MOMENTS_MS.0, MOMENTS_MS.1) - EPOCH_MS;
        (milliseconds * 1000).to_sql(&Type::INT8, out)
    }

    fn accepts(r#type: &Type) -> bool {
        *r#type == Type::TIMESTAMPTZ
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Moment {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        let microseconds = i64::from_sql(&Type::INT8, raw)?;
        Ok(Self(Timestamp(microseconds.div_euclid(1000).saturating_add(EPOCH_MS))))
    }

    fn accepts(r#type: &Type) -> bool {
        *r#type == Type::TIMESTAMPTZ
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_come_back() {
        for (given, kept) in [
            (0, 0),
            (1_000, 1_000),
            (-1, -1),
            (1_800_000_000_123, 1_800_000_000_123),
            (i64::MIN, MOMENTS_MS.0),
            (i64::MAX, MOMENTS_MS.1),
        ] {
            let mut bytes = BytesMut::new();
            assert!(matches!(Moment(Timestamp(given)).to_sql(&Type::TIMESTAMPTZ, &mut bytes), Ok(IsNull::No)));
            assert_eq!(Moment::from_sql(&Type::TIMESTAMPTZ, &bytes).unwrap(), Moment(Timestamp(kept)));
        }
    }
}
