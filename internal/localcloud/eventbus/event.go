package eventbus

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// beijing is the time zone that CloudMonitor and EventBridge write their times in.
var beijing = time.FixedZone("", 8*60*60)

// An APICall is a call of the ECS API as ActionTrail records it.
type APICall struct {
	// EventName is the API's name, such as "CreateImage"; RequestID is the id that it answered with.
	EventName, RequestID string
	// RequestParameters and ResponseElements are the call's own, by their API names.
	RequestParameters, ResponseElements map[string]any
	// ReferencedResources lists resource ids by type, such as "ACS::ECS::Image".
	ReferencedResources map[string][]string
	// ErrorCode and ErrorMessage are empty if the call succeeded.
	ErrorCode, ErrorMessage string
	// PrincipalARN, PrincipalType (such as "ram-user" or "assumed-role") and AccountID say who called.
	PrincipalARN, PrincipalType, AccountID string
	// Region is where the call was made.
	Region string
	// SourceIP and UserAgent are the client's.
	SourceIP, UserAgent string
	// Time is when the call was made.
	Time time.Time
}

// cloudEvent is the envelope of an event of EventBridge, as documented for events of ECS.
type cloudEvent struct {
	ID              string `json:"id"`
	Source          string `json:"source"`
	SpecVersion     string `json:"specversion"`
	Subject         string `json:"subject"`
	Time            string `json:"time"`
	Type            string `json:"type"`
	DataContentType string `json:"datacontenttype"`
	AccountID       string `json:"aliyunaccountid"`
	PublishTime     string `json:"aliyunpublishtime"`
	BusName         string `json:"aliyuneventbusname"`
	RegionID        string `json:"aliyunregionid"`
	PublishAddress  string `json:"aliyunpublishaddr"`
	Data            any    `json:"data"`
}

func (b *Bus) envelope(kind, resource string, at time.Time, data any) cloudEvent {
	return cloudEvent{
		ID:              uuid(),
		Source:          "acs.ecs",
		SpecVersion:     "1.0",
		Subject:         fmt.Sprintf("acs.ecs:%s:%s:%s", b.region, b.accountID, resource),
		Time:            at.In(beijing).Format("2006-01-02T15:04:05-07:00"),
		Type:            kind,
		DataContentType: "application/json;charset=utf-8",
		AccountID:       b.accountID,
		PublishTime:     at.UTC().Format("2006-01-02T15:04:05Z"),
		BusName:         "default",
		RegionID:        b.region,
		PublishAddress:  "127.0.0.1",
		Data:            data,
	}
}

// stateChange is the content of ECS's event Image:StateChange.
type stateChange struct {
	ImageID      string `json:"imageId"`
	CurrentState string `json:"currentState"`
}

// CloudMonitorBody returns the notification that CloudMonitor sends when an image changes its state, in the documented
// form of the system event Image:StateChange.
func CloudMonitorBody(region, accountID, imageID, state string, at time.Time) []byte {
	return encode(struct {
		ID         string      `json:"id"`
		Product    string      `json:"product"`
		ResourceID string      `json:"resourceId"`
		Level      string      `json:"level"`
		Name       string      `json:"name"`
		UserID     string      `json:"userId"`
		EventTime  string      `json:"eventTime"`
		RegionID   string      `json:"regionId"`
		Content    stateChange `json:"content"`
	}{
		ID: strings.ToUpper(uuid()), Product: "ECS", Level: "INFO", Name: "Image:StateChange", UserID: accountID, RegionID: region,
		ResourceID: fmt.Sprintf("acs:ecs:%s:%s:image/%s", region, accountID, imageID),
		EventTime:  at.In(beijing).Format("20060102T150405.000-0700"),
		Content:    stateChange{imageID, state},
	})
}

// trailEvent is the data of an event ecs:ActionTrail:ApiCall.
type trailEvent struct {
	EventID             string              `json:"eventId"`
	EventVersion        int                 `json:"eventVersion"`
	EventName           string              `json:"eventName"`
	EventType           string              `json:"eventType"`
	EventRW             string              `json:"eventRW"`
	EventCategory       string              `json:"eventCategory"`
	EventSource         string              `json:"eventSource"`
	EventTime           string              `json:"eventTime"`
	ServiceName         string              `json:"serviceName"`
	APIVersion          string              `json:"apiVersion"`
	AcsRegion           string              `json:"acsRegion"`
	RecipientAccountID  string              `json:"recipientAccountId"`
	IsGlobal            bool                `json:"isGlobal"`
	RequestID           string              `json:"requestId"`
	RequestParameters   map[string]any      `json:"requestParameters,omitempty"`
	ResponseElements    map[string]any      `json:"responseElements,omitempty"`
	ReferencedResources map[string][]string `json:"referencedResources,omitempty"`
	ErrorCode           string              `json:"errorCode,omitempty"`
	ErrorMessage        string              `json:"errorMessage,omitempty"`
	SourceIPAddress     string              `json:"sourceIpAddress"`
	UserAgent           string              `json:"userAgent"`
	UserIdentity        userIdentity        `json:"userIdentity"`
}

type userIdentity struct {
	Type        string `json:"type"`
	AccountID   string `json:"accountId"`
	PrincipalID string `json:"principalId"`
	UserName    string `json:"userName"`
}

func (c APICall) trailEvent() trailEvent {
	return trailEvent{
		EventID: uuid(), EventVersion: 1, EventName: c.EventName, EventType: "ApiCall", EventRW: "Write",
		EventCategory: "Management", EventSource: "ecs.aliyuncs.com", EventTime: c.Time.UTC().Format(time.RFC3339),
		ServiceName: "Ecs", APIVersion: "2014-05-26", AcsRegion: c.Region, RecipientAccountID: c.AccountID,
		RequestID: c.RequestID, RequestParameters: c.RequestParameters, ResponseElements: c.ResponseElements,
		ReferencedResources: c.ReferencedResources, ErrorCode: c.ErrorCode, ErrorMessage: c.ErrorMessage,
		SourceIPAddress: c.SourceIP, UserAgent: c.UserAgent,
		UserIdentity: userIdentity{
			Type: c.PrincipalType, AccountID: c.AccountID,
			// Guess: the documents show ids here; the embedded cloud has ARNs only.
			PrincipalID: c.PrincipalARN,
			UserName:    c.PrincipalARN[strings.LastIndexByte(c.PrincipalARN, '/')+1:],
		},
	}
}

// readOnly tells whether ActionTrail records the call as a read, which EventBridge never gets.
func (c APICall) readOnly() bool {
	for _, prefix := range []string{"Describe", "List", "Get"} {
		if strings.HasPrefix(c.EventName, prefix) {
			return true
		}
	}
	return false
}

// encode marshals one of this package's events, which cannot fail: a caller's maps hold strings, numbers and lists.
func encode(event any) []byte {
	data, err := json.Marshal(event)
	if err != nil {
		panic(fmt.Sprintf("encode event: %v", err))
	}
	return data
}

func uuid() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails, see crypto/rand
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
