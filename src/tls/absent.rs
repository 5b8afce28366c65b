//! What stands in the place of TLS in a program that was built without it. Pure; used where a start, a reload or a check judges
//! certificates.

use crate::config::model::{Material, Protocol, Tls};

/// No certificate can be used.
pub(crate) fn judge(_tls: &Tls, _material: &Material, _protocol: Protocol) -> Result<(), String> {
    Err("TLS is not built into this program (rhinod's feature `tls`)".to_owned())
}

/// Nothing more is to be said of any certificate.
pub(crate) fn remark(_tls: &Tls, _material: &Material, _now_s: i64) -> Option<String> {
    None
}
