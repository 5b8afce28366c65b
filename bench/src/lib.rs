//! rhinod's measurements.
