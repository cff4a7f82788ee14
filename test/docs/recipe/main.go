// Command recipe is the recipe in Go of docs/api.md, which has it from the package clause on.
package main

func main() {}
