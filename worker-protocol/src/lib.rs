//! What a worker speaks: the uwsgi wire protocol towards the web server, and the fixed-size control records and
//! scoreboard words towards the master. Sans-IO: bytes in, events out; no sockets, no clock, no unsafe code.
