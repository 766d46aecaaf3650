package ecsd

import (
	"context"
	"slices"

	"imageferry/internal/localcloud/openapi"
)

// formatRegions are the regions in which ExportImage takes a format, according to its documentation.
var formatRegions = []string{"ap-northeast-1", "ap-southeast-5", "eu-central-1", "me-east-1", "us-east-1", "eu-west-1",
	"ap-southeast-1", "ap-southeast-3", "us-west-1"}

// otherRegions are further regions that DescribeRegions lists; it is not the platform's complete list.
var otherRegions = []string{"cn-qingdao", "cn-beijing", "cn-zhangjiakou", "cn-hangzhou", "cn-shanghai", "cn-shenzhen",
	"cn-heyuan", "cn-chengdu", "cn-hongkong"}

type regionView struct {
	RegionID       string `json:"RegionId" xml:"RegionId"`
	RegionEndpoint string `json:"RegionEndpoint" xml:"RegionEndpoint"`
	LocalName      string `json:"LocalName" xml:"LocalName"`
	Status         string `json:"Status" xml:"Status"`
}

type regionsResult struct {
	openapi.Header
	Regions struct {
		Region []regionView `json:"Region" xml:"Region"`
	} `json:"Regions" xml:"Regions"`
}

func (s *Server) describeRegions(context.Context, *openapi.Request) (openapi.Result, *openapi.Error) {
	ids := slices.Concat(otherRegions, formatRegions)
	if !slices.Contains(ids, s.options.Region) {
		ids = append(ids, s.options.Region)
	}
	result := &regionsResult{}
	for _, id := range ids {
		result.Regions.Region = append(result.Regions.Region, regionView{
			RegionID: id, RegionEndpoint: "ecs." + id + ".aliyuncs.com", LocalName: id, Status: "available"})
	}
	return result, nil
}
