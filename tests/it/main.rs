//! Scenarios and real servers, in one test binary.

mod warehouse_conformance;
