package ecsd

import (
	"context"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"imageferry/internal/localcloud/openapi"
)

const (
	maxPageSize     = 100
	defaultPageSize = 10
	minuteLayout    = "2006-01-02T15:04Z"
	secondLayout    = "2006-01-02T15:04:05Z"
)

// describeImages lists images by page number. A missing image is an empty list, not an error.
// Guess: the newest image comes first.
func (s *Server) describeImages(_ context.Context, req *openapi.Request) (openapi.Result, *openapi.Error) {
	q, err := parseImageQuery(req.Params)
	if err != nil {
		return nil, err
	}
	if err := dryRun(req.Params); err != nil {
		return nil, err
	}
	result := &imagesResult{page: q.page, RegionID: s.options.Region}
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	result.Images.Image = []imageView{}
	for _, image := range s.candidates(q.id) {
		if !q.matches(image) {
			continue
		}
		if q.page.holds(result.TotalCount) {
			result.Images.Image = append(result.Images.Image, s.viewImage(image, now))
		}
		result.TotalCount++
	}
	return result, nil
}

// candidates are the images among which a query chooses. The caller holds the lock.
func (s *Server) candidates(id string) []*Image {
	if id == "" {
		return s.images.ordered()
	}
	if image, ok := s.images.byID[id]; ok {
		return []*Image{image}
	}
	return nil
}

// dryRun is how DescribeImages reports that a dry run passed: as an error. Guess: other actions do the same, with the
// same message.
func dryRun(p openapi.Params) *openapi.Error {
	dry, err := p.Bool("DryRun")
	if err == nil && dry {
		err = openapi.Errorf(http.StatusBadRequest, "DryRunOperation", "Request validation has been passed with DryRun flag set.")
	}
	return err
}

// A page is a part of a list, as requests and answers name it.
type page struct {
	PageNumber int `json:"PageNumber" xml:"PageNumber"`
	PageSize   int `json:"PageSize" xml:"PageSize"`
	TotalCount int `json:"TotalCount" xml:"TotalCount"`
}

func parsePage(p openapi.Params) (page, *openapi.Error) {
	number, err := p.Int("PageNumber", 1, 1, math.MaxInt32)
	if err != nil {
		return page{}, err
	}
	size, err := p.Int("PageSize", defaultPageSize, 1, maxPageSize)
	return page{PageNumber: number, PageSize: size}, err
}

// holds tells whether the element at the index, from 0, is on the page.
func (p page) holds(index int) bool { return index/p.PageSize == p.PageNumber-1 }

// An imageQuery is what DescribeImages selects by. Empty fields select everything. The filters by resource group, instance
// type, snapshot, usage and the like are not modelled and have no effect.
type imageQuery struct {
	page                           page
	id, name, family, owner        string
	osType, architecture           string
	ownerAccount                   string
	statuses                       []string // nil for all
	public                         bool
	tags                           []map[string]string
	createdNotBefore, createdUntil time.Time
}

func parseImageQuery(p openapi.Params) (imageQuery, *openapi.Error) {
	q := imageQuery{
		id: p.Get("ImageId"), name: p.Get("ImageName"), family: p.Get("ImageFamily"), owner: p.Get("ImageOwnerAlias"),
		osType: p.Get("OSType"), architecture: p.Get("Architecture"), ownerAccount: p.Get("ImageOwnerId"),
		tags: parseTags(p),
	}
	var err *openapi.Error
	if q.page, err = parsePage(p); err != nil {
		return imageQuery{}, err
	}
	if q.public, err = p.Bool("IsPublic"); err != nil {
		return imageQuery{}, err
	}
	if len(q.tags) > 20 {
		return imageQuery{}, openapi.Invalid("Tag")
	}
	if q.statuses, err = parseStatuses(p.Get("Status")); err != nil {
		return imageQuery{}, err
	}
	for n, filter := range p.Structs("Filter", "Key", "Value") {
		if err := q.addFilter(filter["Key"], filter["Value"]); err != nil {
			return imageQuery{}, openapi.Invalid("Filter." + strconv.Itoa(n+1) + ".Value")
		}
	}
	return q, nil
}

// parseStatuses reads a list of states; without one, only available images are listed.
func parseStatuses(list string) ([]string, *openapi.Error) {
	if list == "" {
		return []string{StatusAvailable}, nil
	}
	statuses := strings.Split(list, ",")
	if !slices.Contains(statuses, "ALL") {
		return statuses, nil
	}
	if len(statuses) > 1 {
		return nil, openapi.Invalid("Status") // ALL is exclusive. Guess: the code.
	}
	return nil, nil
}

func (q *imageQuery) addFilter(key, value string) error {
	field := map[string]*time.Time{"CreationStartTime": &q.createdNotBefore, "CreationEndTime": &q.createdUntil}[key]
	if field == nil {
		return nil // the other keys speak about features that are not modelled
	}
	t, err := time.Parse(minuteLayout, value)
	*field = t
	return err
}

func (q *imageQuery) matches(i *Image) bool {
	switch {
	case q.statuses != nil && !slices.Contains(q.statuses, i.Status),
		q.owner != "" && q.owner != i.OwnerAlias,
		q.public && !i.Public,
		!q.public && i.Public && i.OwnerAlias == "others",
		q.ownerAccount != "" && i.OwnerAlias == "others" && q.ownerAccount != i.OwnerAccount,
		q.family != "" && q.family != i.Family,
		q.osType != "" && q.osType != i.OSType,
		q.architecture != "" && q.architecture != i.Architecture,
		!strings.Contains(i.Name, q.name), // Guess: fuzzy means that the name contains it.
		!q.createdNotBefore.IsZero() && i.CreationTime.Before(q.createdNotBefore),
		!q.createdUntil.IsZero() && i.CreationTime.After(q.createdUntil):
		return false
	}
	for _, tag := range q.tags {
		value, ok := i.Tags[tag["Key"]]
		if want, given := tag["Value"]; !ok || given && want != "" && value != want {
			return false
		}
	}
	return true
}

// parseTags reads Tag.N.Key and Tag.N.Value; both are also accepted in lower case.
func parseTags(p openapi.Params) []map[string]string {
	tags := p.Structs("Tag", "Key", "Value", "key", "value")
	for _, tag := range tags {
		for lower, name := range map[string]string{"key": "Key", "value": "Value"} {
			if v, ok := tag[lower]; ok {
				tag[name] = v
			}
		}
	}
	return tags
}
