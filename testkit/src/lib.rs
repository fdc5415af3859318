//! Virtual network and clock, test PKI and peers for Adit's tests.
