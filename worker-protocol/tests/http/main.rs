//! The HTTP codec: the corpus of malformed and ambiguous requests, whole, at every split and with bytes behind it; other
//! servers' parsers beside ours; mutants; what a head costs in memory.

mod corpus;
mod differential;
mod fuzzing;
mod requests;
