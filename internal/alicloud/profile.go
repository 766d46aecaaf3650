package alicloud

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/credentials"
)

// A Profile is one set of credentials in the configuration file of Alibaba Cloud's own command line.
type Profile struct {
	Name   string `json:"name"`
	Mode   string `json:"mode"`
	Region string `json:"region_id"`
}

// ProfilePath is where that file is.
func ProfilePath() (string, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find configuration of the aliyun command line: %w", err)
	}
	return filepath.Join(home, ".aliyun", "config.json"), nil
}

// profileModes are those that the SDK can make credentials of.
var profileModes = []string{"AK", "StsToken", "RamRoleArn", "EcsRamRole", "OIDC", "ChainableRamRoleArn"}

// ReadProfile finds a profile in the file; an empty name is the current one. The errors name the profiles that there are,
// and never show the file.
func ReadProfile(path, name string) (Profile, error) {
	data, err := os.ReadFile(path) // #nosec G304 -- the person's own profile
	if errors.Is(err, fs.ErrNotExist) {
		return Profile{}, fmt.Errorf("read profile %q: there is no %s: run aliyun configure", name, path)
	}
	if err != nil {
		return Profile{}, fmt.Errorf("read profile %q: %w", name, err)
	}
	var file struct {
		Current  string    `json:"current"`
		Profiles []Profile `json:"profiles"`
	}
	if json.Unmarshal(data, &file) != nil {
		return Profile{}, fmt.Errorf("read profile %q: %s is not a configuration of the aliyun command line", name, path)
	}
	if name == "" {
		name = file.Current
	}
	var names []string
	for _, p := range file.Profiles {
		if p.Name == name {
			return p, nil
		}
		names = append(names, p.Name)
	}
	return Profile{}, fmt.Errorf("read profile %q: %s has no such profile, it has: %s", name, path, strings.Join(names, ", "))
}

// FromProfile gives the credentials of a profile of Alibaba Cloud's own command line. Make it once a process.
func FromProfile(path string, p Profile) (Provider, error) {
	if !slices.Contains(profileModes, p.Mode) {
		return nil, fmt.Errorf("use profile %q of %s: its mode is %q, the SDK knows %s", p.Name, path, p.Mode, strings.Join(profileModes, ", "))
	}
	var mutex sync.Mutex // the SDK's provider is not safe for concurrent use
	provider := credentials.NewCLIProfileCredentialsProviderBuilder().WithProfileName(p.Name).Build()
	return func(ctx context.Context) (Credentials, error) {
		mutex.Lock()
		defer mutex.Unlock()
		if err := ctx.Err(); err != nil {
			return Credentials{}, err
		}
		found, err := provider.GetCredentials()
		if err != nil {
			// The SDK's error may show the file, secrets included.
			return Credentials{}, fmt.Errorf("profile %q of %s gives no credentials", p.Name, path)
		}
		return Credentials{
			AccessKeyID: found.AccessKeyId, AccessKeySecret: found.AccessKeySecret, SecurityToken: found.SecurityToken,
		}, nil
	}, nil
}
