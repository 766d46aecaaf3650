package localcloud

import (
	"fmt"
	"net/http"
	"sync"

	"imageferry/internal/localcloud/account"
	"imageferry/internal/localcloud/ecsd"
	"imageferry/internal/localcloud/eventbus"
	"imageferry/internal/localcloud/openapi"
	"imageferry/internal/localcloud/ossd"
)

// A Place is one account in one region of the cloud.
type Place struct {
	Region    string
	Directory *account.Directory
	ECS       *ecsd.Server
	OSS       *ossd.Server // of the region: buckets of all accounts share one set of names
	Bus       *eventbus.Bus
	// ECSEndpoint and OSSEndpoint are the region's, host:port. ECS answers callers of every account there, each for its own.
	ECSEndpoint, OSSEndpoint string
}

// AddPlace adds an account in a region to the cloud, either of which may be there already. The account is empty when it is new.
// The function, STS and RAM stay where they are: STS assumes roles of all accounts. It is called before the calls that depend
// on it, and once for a place.
func (c *Cloud) AddPlace(region, accountID string) (*Place, error) {
	at := c.regions[region]
	if at == nil {
		at = &regionServices{oss: c.OSS.In(region), ecs: &regionalECS{directory: c.Directory, byAccount: map[string]http.Handler{}}}
		for _, service := range []struct {
			address *string
			handler http.Handler
		}{{&at.ecsEndpoint, at.ecs}, {&at.ossEndpoint, at.oss}} {
			if err := c.serve(service.address, service.handler); err != nil {
				return nil, fmt.Errorf("add region %s: %w", region, err)
			}
		}
		c.regions[region] = at
	}
	p := &Place{
		Region: region, Directory: c.Directory.Open(accountID), OSS: at.oss, Bus: eventbus.New(region, accountID, c.options.Log),
		ECSEndpoint: at.ecsEndpoint, OSSEndpoint: at.ossEndpoint,
	}
	p.ECS = c.newECS(p)
	at.ecs.add(accountID, p.ECS)
	c.places = append(c.places, p)
	return p, nil
}

// regionServices are what a region has for all of its accounts.
type regionServices struct {
	oss                      *ossd.Server
	ecs                      *regionalECS
	ecsEndpoint, ossEndpoint string
}

// regionalECS is the endpoint of ECS in a region: it hands each call to the ECS of the caller's account.
type regionalECS struct {
	directory *account.Directory

	mu        sync.RWMutex
	byAccount map[string]http.Handler
	first     http.Handler // refuses callers that nobody knows
}

func (e *regionalECS) add(accountID string, ecs http.Handler) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.first == nil {
		e.first = ecs
	}
	e.byAccount[accountID] = ecs
}

// ServeHTTP answers one call of the API.
func (e *regionalECS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	identity, err := e.directory.Lookup(openapi.ClaimedKey(r))
	e.mu.RLock()
	ecs := e.byAccount[identity.AccountID]
	if err != nil {
		ecs = e.first
	}
	e.mu.RUnlock()
	if ecs == nil {
		http.Error(w, "the account was not added to this region of the embedded cloud", http.StatusNotImplemented)
		return
	}
	ecs.ServeHTTP(w, r)
}
