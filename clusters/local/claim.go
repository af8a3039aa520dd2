package local

// Claim is a folder that belongs to one living process, as what clusters are
// made of does: Clean removes it once the process is gone.
type Claim struct{ owner *owner }

// NewClaim makes an empty folder inside temp.
func NewClaim(temp string) (*Claim, error) {
	o, err := newOwner(temp)
	if err != nil {
		return nil, err
	}
	return &Claim{owner: o}, nil
}

// Dir is the folder.
func (c *Claim) Dir() string { return c.owner.work }

// Release removes the folder. It may be called more than once.
func (c *Claim) Release() error { return c.owner.release() }
