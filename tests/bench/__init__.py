"""`./dive bench`: how long everything takes, beside what the engine takes for as many resources."""
