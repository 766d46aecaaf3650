package rosd

import "fmt"

// A kind is a type of resource: its properties, and the attributes that Fn::GetAtt finds.
type kind struct {
	required   []string
	optional   []string
	attributes map[string]func(Request, object) any
}

func (k kind) properties() []string {
	return append(append([]string(nil), k.required...), k.optional...)
}

// property is an attribute that is one of the resource's own properties.
func property(name string) func(Request, object) any {
	return func(_ Request, properties object) any { return properties[name] }
}

const (
	bucketKind   = "ALIYUN::OSS::Bucket"
	roleKind     = "ALIYUN::RAM::Role"
	policyKind   = "ALIYUN::RAM::ManagedPolicy"
	functionKind = "ALIYUN::FC3::Function"
	asyncKind    = "ALIYUN::FC3::AsyncInvokeConfig"
	triggerKind  = "ALIYUN::FC3::Trigger"
)

// kinds are the types of resources, with the names that ROS documents. Properties that ROS has and this lacks are left out
// because nothing here would heed them.
var kinds = map[string]kind{
	bucketKind: {
		required:   []string{"BucketName"},
		optional:   []string{"AccessControl"},
		attributes: map[string]func(Request, object) any{"Name": property("BucketName")},
	},
	roleKind: {
		required: []string{"RoleName", "AssumeRolePolicyDocument"},
		optional: []string{"Description", "Policies"},
		attributes: map[string]func(Request, object) any{
			"RoleName": property("RoleName"),
			"Arn": func(r Request, p object) any {
				return fmt.Sprintf("acs:ram::%s:role/%v", r.AccountID, p["RoleName"])
			},
		},
	},
	policyKind: {
		required: []string{"PolicyName", "PolicyDocument"},
		optional: []string{"Description", "Roles"},
	},
	functionKind: {
		required: []string{"FunctionName", "Runtime", "Handler", "Code", "Role"},
		optional: []string{
			"Description", "MemorySize", "Cpu", "DiskSize", "Timeout", "InternetAccess", "LogConfig", "EnvironmentVariables",
		},
		attributes: map[string]func(Request, object) any{
			"FunctionName": property("FunctionName"),
			"ARN": func(r Request, p object) any {
				return fmt.Sprintf("acs:fc:%s:%s:functions/%v", r.Region, r.AccountID, p["FunctionName"])
			},
		},
	},
	asyncKind: {
		required: []string{"FunctionName"},
		optional: []string{"MaxAsyncRetryAttempts", "MaxAsyncEventAgeInSeconds", "DestinationConfig"},
	},
	triggerKind: {
		required: []string{"FunctionName", "TriggerName", "TriggerType", "TriggerConfig"},
		optional: []string{"Description"},
		attributes: map[string]func(Request, object) any{
			"TriggerName": property("TriggerName"),
			// Guess: what the host begins with; the documents show a placeholder.
			"UrlInternet": func(r Request, p object) any {
				return fmt.Sprintf("https://%v.%s.fcapp.run", p["TriggerName"], r.Region)
			},
		},
	},
}
