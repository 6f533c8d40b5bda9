//! Providers that are not let in.

use serde::{Deserialize, Serialize};

use crate::ids::ProviderId;

/// A ban: who fits its name or its address is not let in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Ban {
    /// The session that it began with: names the ban.
    pub id: ProviderId,
    /// Providers of this name, if it is by name.
    pub name: Option<String>,
    /// Those from this address, if it is by address.
    pub address: Option<String>,
    /// What they are told.
    pub reason: String,
    /// When it began (RFC 3339, UTC).
    pub created: String,
    /// When it ends; never, without.
    pub expires: Option<String>,
}
