package scenarios

import "time"

// The limits of a scenario file. They keep a typing mistake from becoming a
// night of populating, and every product of them inside an int64.
const (
	// MaxFileSize is the largest scenario file that is read, in bytes.
	MaxFileSize = 256 << 10
	// MaxName is the longest name of a scenario, in characters.
	MaxName = 40
	// MaxTitle is the longest title of a scenario, in characters.
	MaxTitle = 120
	// MaxServices is the largest number of Services at one point.
	MaxServices = 100_000
	// MaxEndpoints is the largest number of endpoints of one Service.
	MaxEndpoints = 1000
	// MaxTotalEndpoints is the largest product of Services and endpoints.
	MaxTotalEndpoints = 1_000_000
	// MaxPorts is the largest number of ports of one Service.
	MaxPorts = 16
	// FirstNodePort and LastNodePort are Kubernetes' default range of node
	// ports.
	FirstNodePort, LastNodePort = 30000, 32767
	// MaxNodePorts is the largest number of ports of all Services together,
	// if each has a node port.
	MaxNodePorts = LastNodePort - FirstNodePort + 1
	// MaxPoints is the longest scale axis, after the cross product.
	MaxPoints = 1000
	// MaxRate is the highest rate of traffic or churn, per second.
	MaxRate = 100_000
	// MaxRates is the largest number of rates that are tried one after the other.
	MaxRates = 20
	// MaxObjectives is the largest number of objectives.
	MaxObjectives = 100
	// MaxFlows is the largest number of connections that are kept open.
	MaxFlows = 500
	// MaxDuration is the longest duration, warm-up or time-out.
	MaxDuration = Duration(time.Hour)
	// MaxBlocks is the largest number of blocks.
	MaxBlocks = 1000
	// MaxVerbosity is the highest log level of the proxy.
	MaxVerbosity = 10
)
