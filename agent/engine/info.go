package engine

// Info is what an engine says about itself.
type Info struct {
	Version string // "20.10.24"
	API     string // the highest version of the API that it speaks: "1.41"
	// DataRoot is the folder of the engine's host that holds images and containers.
	DataRoot string
}
