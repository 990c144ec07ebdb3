//! Builds catalog, engine and doors once; starts, drains and stops them.
