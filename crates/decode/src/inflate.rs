//! Undoes compression, piece by piece, so that nobody holds a whole file.
