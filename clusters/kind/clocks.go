package kind

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"

	"svcbench/internal/failure"
)

// compareClocks makes sure that the nodes have the clock of this process: an
// engine may run its containers in a virtual machine, and times taken there and
// here could not be compared.
func (c *cluster) compareClocks(ctx context.Context) error {
	const boot = "/proc/sys/kernel/random/boot_id"
	here, err := os.ReadFile(boot)
	if err != nil {
		return fmt.Errorf("read the identity of this boot: %w", err)
	}
	there, err := c.home().Run(ctx, nil, "cat", boot)
	if err != nil {
		return err
	}
	if !bytes.Equal(here, there) {
		return failure.New(failure.Environment, errors.New("the nodes run on another machine than svcbench, with another clock"),
			"run svcbench where the containers are, such as inside the virtual machine of Docker Desktop")
	}
	return nil
}
