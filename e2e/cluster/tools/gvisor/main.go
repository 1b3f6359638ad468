// The containerd shim for gVisor, started so that it works on every machine.
//
// Two steps of the stock start command fail in places where the rest of
// gVisor works:
//   - it lowers the shim's oom_score_adj, which needs CAP_SYS_RESOURCE, and
//     gives up when that is refused; nested machines and CI runners lack it;
//   - it answers with a JSON record, which containerd 1.6 takes for the socket
//     address itself. A bare address is understood by 1.6 and by 2.x.
//
// Only Start is replaced; serving, stopping and describing stay upstream's.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"syscall"

	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/containerd/v2/pkg/shim"
	runsc "gvisor.dev/gvisor/pkg/shim/v1"
	_ "gvisor.dev/gvisor/pkg/shim/v1/plugin" // the task service itself
)

type manager struct {
	shim.Manager
}

func main() {
	shim.Run(context.Background(), manager{runsc.NewShimManager("io.containerd.runsc.v1")})
}

// Start launches the serving shim, prints its socket address and exits: the
// caller would otherwise add the JSON record to the output.
func (m manager) Start(ctx context.Context, id string, opts shim.StartOpts) (shim.BootstrapParams, error) {
	address, err := m.start(ctx, id, opts)
	if err != nil {
		return shim.BootstrapParams{}, err
	}
	if _, err := os.Stdout.WriteString(address); err != nil {
		return shim.BootstrapParams{}, fmt.Errorf("answer containerd: %w", err)
	}
	os.Exit(0)
	return shim.BootstrapParams{}, errors.New("unreachable")
}

func (m manager) start(ctx context.Context, id string, opts shim.StartOpts) (address string, err error) {
	namespace, err := namespaces.NamespaceRequired(ctx)
	if err != nil {
		return "", err
	}
	address, err = shim.SocketAddress(ctx, opts.Address, id, opts.Debug)
	if err != nil {
		return "", err
	}
	listener, err := listen(address)
	if err != nil {
		return "", err
	}
	// The child inherits the socket; unlinking it here would cut it off.
	listener.SetUnlinkOnClose(false)
	defer listener.Close()
	socket, err := listener.File()
	if err != nil {
		return "", err
	}
	defer socket.Close()

	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	args := []string{"-namespace", namespace, "-address", opts.Address, "-id", id}
	if opts.Debug {
		args = append(args, "-debug")
	}
	child := exec.Command(self, args...)
	child.Env = append(os.Environ(), "GOMAXPROCS=2")
	child.ExtraFiles = []*os.File{socket}
	child.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := child.Start(); err != nil {
		return "", fmt.Errorf("start the serving shim: %w", err)
	}
	if err := record(child.Process.Pid, address); err != nil {
		_ = child.Process.Kill()
		return "", err
	}
	return address, nil
}

// listen takes over the socket of a shim that died without removing it.
func listen(address string) (*net.UnixListener, error) {
	listener, err := shim.NewSocket(address)
	if err == nil {
		return listener, nil
	}
	if !shim.SocketEaddrinuse(err) || shim.CanConnect(address) {
		return nil, fmt.Errorf("listen on the shim socket %s: %w", address, err)
	}
	if err := shim.RemoveSocket(address); err != nil {
		return nil, fmt.Errorf("remove the dead shim socket %s: %w", address, err)
	}
	return shim.NewSocket(address)
}

// record leaves what containerd and the shim's own shutdown read in the
// bundle, which is the working directory.
func record(pid int, address string) error {
	if err := shim.WritePidFile("shim.pid", pid); err != nil {
		return err
	}
	for _, path := range []string{"address", "shim-address"} {
		if err := os.WriteFile(path, []byte(address), 0o644); err != nil {
			return err
		}
	}
	return nil
}
