//! What stands in the place of TLS in a program that was built without it. Pure; used where a start, a reload or a check judges
//! certificates.

use crate::config::model::{Digest, Material, Protocol, Tls};

/// No certificate can be used.
pub(crate) fn judge(_tls: &Tls, _material: &Material, _protocol: Protocol) -> Result<(), String> {
    Err("TLS is not built into this program (rhinod's feature `tls`)".to_owned())
}

/// Nothing more is to be said of any certificate.
pub(crate) fn remark(_tls: &Tls, _material: &Material, _now_s: i64) -> Option<String> {
    None
}

/// No signature is confirmed.
pub(crate) fn verify(_pem: &str, _digest: Digest, _bytes: &[u8], _signature: &[u8]) -> Result<(), String> {
    Err("TLS is not built into this program (rhinod's feature `tls`)".to_owned())
}

/// No key signs anything.
#[derive(Debug)]
pub(crate) enum Seal {}

impl Seal {
    pub(crate) fn of(_pem: &str, _digest: Digest) -> Result<Seal, String> {
        Err("TLS is not built into this program (rhinod's feature `tls`)".to_owned())
    }

    pub(crate) fn sign(&self, _bytes: &[u8]) -> Result<Vec<u8>, String> {
        match *self {}
    }
}

/// Nobody is spoken to.
#[derive(Debug)]
pub(crate) enum ClientSide {}

impl ClientSide {
    pub(crate) fn of(_authorities: &[u8]) -> Result<Self, String> {
        Err("TLS is not built into this program (rhinod's feature `tls`)".to_owned())
    }

    pub(crate) fn speak<S>(&self, _host: &str, _connection: S) -> Result<S, String> {
        match *self {}
    }
}
