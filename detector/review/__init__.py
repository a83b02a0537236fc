"""The takedown desk: what happens after a match, and stands up later."""
