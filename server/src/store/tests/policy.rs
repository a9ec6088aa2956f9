//! Hit rates against an exact LRU and against published policies, on the same traces.
